/** expo-file-system's `legacy` entry, over a folder of this machine. */
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'finalmile-expo-'));

/** What a test sets, and what it sees. */
export const disk = {
  root,
  /** What lies behind foreign addresses. */
  foreign: new Map<string, string>(),
  /** Copies wait for it. */
  gate: undefined as Promise<void> | undefined,
  /** What downloads were asked for. */
  requests: [] as { url: string; headers: Record<string, string> }[],
  cancelled: 0,
  /** Whether downloads never end. */
  hang: false,
  /** As empty as it was at first. */
  clear: (): void => fs.readdirSync(root).forEach((name) => fs.rmSync(path.join(root, name), { recursive: true })),
  /** All files below the app's caches. */
  files: (): string[] =>
    fs.existsSync(root)
      ? (fs.readdirSync(root, { recursive: true, withFileTypes: true }) as fs.Dirent[])
          .filter((entry) => entry.isFile())
          .map((entry) => entry.name)
      : [],
};

export const cacheDirectory = `${pathToFileURL(root).href}/`;

export async function copyAsync({ from, to }: { from: string; to: string }): Promise<void> {
  await disk.gate;
  const content = disk.foreign.get(from);
  if (content === undefined) {
    throw new Error(`Location '${from}' isn't readable.`);
  }
  fs.writeFileSync(fileURLToPath(to), content);
}

export async function deleteAsync(uri: string, options?: { idempotent?: boolean }): Promise<void> {
  fs.rmSync(fileURLToPath(uri), { force: options?.idempotent === true });
}

export async function makeDirectoryAsync(uri: string): Promise<void> {
  fs.mkdirSync(fileURLToPath(uri), { recursive: true });
}

export async function getInfoAsync(uri: string) {
  const found = fs.statSync(fileURLToPath(uri), { throwIfNoEntry: false });
  return found === undefined ? { exists: false } : { exists: true, size: found.size };
}

export function createDownloadResumable(
  url: string,
  fileUri: string,
  options: { headers?: Record<string, string>; sessionType?: number } = {},
) {
  let stop = (): void => {};
  return {
    downloadAsync: () =>
      new Promise((resolve, reject) => {
        disk.requests.push({ url, headers: options.headers ?? {} });
        if (disk.hang) {
          stop = () => resolve(null);
          return;
        }
        const follow = (address: string): void => {
          const request = http.get(address, { headers: options.headers ?? {} }, (answer) => {
            const { location } = answer.headers;
            if (location !== undefined) {
              // As both systems do: every header goes along.
              answer.resume();
              follow(location);
              return;
            }
            const parts: Buffer[] = [];
            answer.on('data', (part: Buffer) => parts.push(part));
            answer.on('end', () => {
              fs.writeFileSync(fileURLToPath(fileUri), Buffer.concat(parts));
              resolve({ uri: fileUri, status: answer.statusCode, headers: answer.headers });
            });
          });
          request.on('error', reject);
          stop = () => {
            request.destroy();
            resolve(null);
          };
        };
        follow(url);
      }),
    cancelAsync: async () => {
      disk.cancelled += 1;
      stop();
    },
  };
}
