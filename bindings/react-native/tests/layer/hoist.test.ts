/** The library's functions, found without C++. What that saves is measured in `bindings/tests`. */
import { hoist } from '../../src/hoist';

test('J38 functions are asked of the host object once, and it lives as long as they', () => {
  const asked: string[] = [];
  const functions: Record<string, unknown> = { one: () => 1, two: () => 2 };
  const host = new Proxy(functions, {
    get(target, name) {
      asked.push(String(name));
      return target[String(name)];
    },
  });
  const place: { NativeFinalmile?: any } = { NativeFinalmile: host };
  hoist(place);
  const plain = place.NativeFinalmile;
  expect(asked).toEqual(['one', 'two']);
  expect([plain.one(), plain.two(), plain.one()]).toEqual([1, 2, 1]);
  expect(asked).toEqual(['one', 'two']);
  expect(plain.hoisted).toBe(host);
  hoist(place);
  expect(place.NativeFinalmile).toBe(plain);
});

test('J38 without a host object, or without its names, all stays as it is', () => {
  const none: { NativeFinalmile?: object } = {};
  hoist(none);
  expect(none).toEqual({});
  const silent = new Proxy({ one: () => 1 }, { ownKeys: () => [], getOwnPropertyDescriptor: () => undefined });
  const place = { NativeFinalmile: silent };
  hoist(place);
  expect(place.NativeFinalmile).toBe(silent);
});
