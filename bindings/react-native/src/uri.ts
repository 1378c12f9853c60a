/**
 * URIs and paths: apps name files by URI, the library by path.
 *
 * # Promises
 *
 * - **J5** A `file:` URI and the path it means lead to the same file, whatever characters its name has; what is
 *   neither is told by its code, and nothing is asked of the library.
 */
import { FinalmileError } from './errors';

/** Where a URI leads: to a file of ours, or to something that must be copied to one first. */
export type Place =
  | { readonly local: string }
  | { readonly foreign: string; readonly how: 'copy' | 'download' };

/**
 * What a URI means. `file:` URIs are decoded; a plain absolute path is taken as it is.
 *
 * @throws `INVALID_URI` for what is no absolute path and no URI, `UNSUPPORTED_URI` for another scheme.
 */
export function placeOf(uri: string): Place {
  if (typeof uri !== 'string' || uri === '') {
    throw new FinalmileError('INVALID_URI', 'This is no address of a file');
  }
  if (uri.startsWith('/')) {
    return { local: uri };
  }
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(uri)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
      throw new FinalmileError('INVALID_URI', 'A path begins with a slash');
    case 'file':
      return { local: decoded(uri) };
    case 'content':
    case 'ph':
    case 'assets-library':
      return { foreign: uri, how: 'copy' };
    case 'http':
    case 'https':
      return { foreign: uri, how: 'download' };
    default:
      throw new FinalmileError('UNSUPPORTED_URI', `Files cannot be read from ${scheme}: addresses`);
  }
}

/** The `file:` URI of a path. */
export function uriOf(path: string): string {
  return `file://${path.split('/').map(encodeURIComponent).join('/')}`;
}

/**
 * The path of what must lie in a file of ours already, such as a folder.
 *
 * @throws `INVALID_URI`, `UNSUPPORTED_URI`.
 */
export function pathOf(uri: string): string {
  const place = placeOf(uri);
  if ('local' in place) {
    return place.local.length > 1 ? place.local.replace(/\/+$/, '') : place.local;
  }
  throw new FinalmileError('UNSUPPORTED_URI', 'This must lie in a folder of the app');
}

function decoded(uri: string): string {
  // Pickers append a fragment to videos' addresses; a `#` of the name itself is written %23.
  const [bare = ''] = uri.split(/[?#]/, 1);
  const path = bare.replace(/^file:(\/\/(localhost)?(?=\/))?/i, '');
  try {
    const plain = decodeURIComponent(path);
    if (plain.startsWith('/') && !plain.startsWith('//')) {
      return plain;
    }
  } catch {
    // A lone percent sign.
  }
  throw new FinalmileError('INVALID_URI', 'This is no address of a file');
}
