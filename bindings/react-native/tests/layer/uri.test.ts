import { pathOf, placeOf, uriOf } from '../../src/uri';

test.each([
  '/data/user/0/a.jpg',
  '/with space/ünï códe/文件.jpg',
  '/100%/50%25 #1?.jpg',
  '/emoji 😀/+&=.png',
])('J5 the path %s comes back from its URI', (path) => {
  const uri = uriOf(path);
  expect(uri).toMatch(/^file:\/\/\/[\x21-\x7e]+$/);
  expect(placeOf(uri)).toEqual({ local: path });
  // A plain path is not decoded.
  expect(placeOf(path)).toEqual({ local: path });
});

test.each([
  ['file:///a%20b.jpg', '/a b.jpg'],
  ['file:///a b.jpg', '/a b.jpg'],
  ['file://localhost/a.jpg', '/a.jpg'],
  ['file:/a.jpg', '/a.jpg'],
  ['FILE:///a.jpg', '/a.jpg'],
  ['file:///video.mov#YnBsaXN0MDDRAQ', '/video.mov'],
  ['file:///a%23b.jpg', '/a#b.jpg'],
])('J5 %s leads to %s', (uri, path) => {
  expect(placeOf(uri)).toEqual({ local: path });
});

test.each([
  ['content://media/external/images/1', 'copy'],
  ['ph://ED7AC36B-A150-4C38-BB8C-B6D696F4F2ED/L0/001', 'copy'],
  ['assets-library://asset/asset.JPG?id=1&ext=JPG', 'copy'],
  ['https://example.com/a.jpg', 'download'],
  ['http://127.0.0.1/a.jpg', 'download'],
])('J5 %s lies elsewhere: %s', (uri, how) => {
  expect(placeOf(uri)).toEqual({ foreign: uri, how });
});

test.each([
  ['', 'INVALID_URI'],
  ['a.jpg', 'INVALID_URI'],
  ['file:///a%zz.jpg', 'INVALID_URI'],
  ['file://host/a.jpg', 'INVALID_URI'],
  ['file:', 'INVALID_URI'],
  [undefined as never, 'INVALID_URI'],
  [7 as never, 'INVALID_URI'],
  ['data:image/png;base64,AAAA', 'UNSUPPORTED_URI'],
  ['blob:1234', 'UNSUPPORTED_URI'],
])('J5 %s is %s', (uri, code) => {
  expect(() => placeOf(uri)).toThrow(expect.objectContaining({ code }));
});

test('J5 a folder is one of the app, with or without a slash at its end', () => {
  expect(pathOf('file:///caches/')).toBe('/caches');
  expect(pathOf('/')).toBe('/');
  expect(() => pathOf('content://tree')).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_URI' }));
});
