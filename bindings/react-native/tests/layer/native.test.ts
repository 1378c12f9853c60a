/** What importing the generated module does. That it helps is shown where it runs: `torn_down` in `bindings/tests`. */
const mockPickUp = jest.fn();
jest.mock('../../src/generated/index', () => ({ pickUp: mockPickUp, cidOfBytes: 'generated' }), { virtual: true });

test('J37 an app that is loaded begins anew, once, before anything else is called', () => {
  expect(mockPickUp).not.toHaveBeenCalled();
  const native = jest.requireActual<Record<string, unknown>>('../../src/native');
  expect(mockPickUp).toHaveBeenCalledTimes(1);
  jest.requireActual('../../src/native');
  expect(mockPickUp).toHaveBeenCalledTimes(1);
  expect(native.cidOfBytes).toBe('generated');
});
