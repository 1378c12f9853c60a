/** Folders for what is made here, in what the system calls the app's caches. */
import { FinalmileError } from './errors';
import { fileSystem } from './optional/fileSystem';
import { pathOf, uriOf } from './uri';

/** The failure of what needs a package that the app does not have. */
export function missing(whatFor: string, instead: string): FinalmileError {
  return new FinalmileError(
    'FILE_SYSTEM_MISSING',
    `${whatFor} needs expo-file-system: install it (npx expo install expo-file-system), or ${instead}`,
  );
}

/**
 * The path of a folder of ours in the app's caches; nothing is made.
 *
 * @throws `FILE_SYSTEM_MISSING`, where `instead` says what else the caller may do.
 */
export function cacheFolder(name: string, instead: string): string {
  const root = fileSystem()?.cacheDirectory;
  if (root === undefined || root === null) {
    throw missing('A folder in the app\'s caches', instead);
  }
  return `${pathOf(root)}/finalmile/${name}`;
}

let made = 0;

/** A name for a file that is removed soon, in a folder that exists. */
export async function temporaryFile(): Promise<string> {
  const folder = cacheFolder('borrowed', 'pass a file: address');
  await fileSystem()?.makeDirectoryAsync(uriOf(folder), { intermediates: true });
  made += 1;
  return `${folder}/${Date.now().toString(36)}-${made}`;
}
