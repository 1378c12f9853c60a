/**
 * The phone's own networking, lent to the library: each answer becomes a file, because bytes do not cross.
 *
 * # Promises
 *
 * - **J7** A token reaches the gateway that it belongs to and no other host. React Native follows redirects by
 *   itself and takes every header along except `Authorization`, so a gateway's token goes into the query of
 *   the gateway's own address (`pinataGatewayToken`), which no redirect repeats, unless the networking says
 *   that it stops at redirects.
 * - **J8** A request that nobody waits for any more, or that takes too long, is stopped.
 */
import { linked, unlessAborted } from './call';
import { cancelled, FinalmileError } from './errors';
import { missing } from './folders';
import { HostFailure, type Network as NativeNetwork } from './native';
import { fileSystem } from './optional/fileSystem';
import { uriOf } from './uri';

/** A GET request whose answer becomes a file. */
export interface NetworkRequest {
  /** Where to. It may hold a token: do not log it. */
  url: string;
  /** To be sent as they are. */
  headers: Record<string, string>;
  /** The path that the body is written to, as it came. */
  path: string;
  /** When to give it up, in milliseconds. */
  timeoutMs: number;
  /** Aborted when nobody waits any more. */
  signal: AbortSignal;
}

/** What came back, whatever the status is. */
export interface NetworkAnswer {
  status: number;
  headers: Record<string, string>;
}

/** How files are fetched. */
export interface Network {
  /** Whether an answer of 3xx is answered instead of followed; `false` unless said. */
  stopsAtRedirects?: boolean;
  /** Fetches into a file. Rejects only when there was no whole answer. */
  download(request: NetworkRequest): Promise<NetworkAnswer>;
}

/** The names of the header that carries a gateway's token, and of the query parameter that does the same. */
const TOKEN_HEADER = 'x-pinata-gateway-token';
const TOKEN_PARAMETER = 'pinataGatewayToken';

/** A download of the app in the foreground: iOS lets background ones wait for their turn. */
const FOREGROUND = 1;

/**
 * The networking of expo-file-system.
 *
 * @throws `NETWORK_MISSING` when the app has it not.
 */
export function expoNetwork(): Network {
  if (fileSystem() === undefined) {
    throw new FinalmileError(
      'NETWORK_MISSING',
      'Fetching needs expo-file-system: install it (npx expo install expo-file-system), or pass `network`',
    );
  }
  return { download: (r) => fetchToFile(r.url, r.headers, r.path, r.timeoutMs, r.signal) };
}

/**
 * The networking of `fetch`, for apps without expo-file-system. `writeFile` writes bytes to a path, as
 * react-native-fs and its like do. Each body is in memory once: meant for thumbnails rather than films.
 */
export function fetchNetwork(options: {
  writeFile(path: string, bytes: Uint8Array): Promise<void>;
  fetch?: typeof fetch;
}): Network {
  const send = options.fetch ?? fetch;
  return {
    download: ({ url, headers, path, timeoutMs, signal }) =>
      within(timeoutMs, signal, async (stop) => {
        const response = await send(url, { headers, signal: stop });
        await options.writeFile(path, new Uint8Array(await response.arrayBuffer()));
        const answered: Record<string, string> = {};
        response.headers.forEach((value, name) => (answered[name] = value));
        return { status: response.status, headers: answered };
      }),
  };
}

/** Fetches `url` into the file at `path` with expo-file-system. Throws `FILE_SYSTEM_MISSING`, `TIMEOUT`, `CANCELLED`. */
export function fetchToFile(
  url: string,
  headers: Record<string, string>,
  path: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<NetworkAnswer> {
  return within(timeoutMs, signal, async (stop) => {
    const system = fileSystem();
    if (system === undefined) {
      throw missing('Fetching a file', 'fetch it yourself');
    }
    const download = system.createDownloadResumable(url, uriOf(path), {
      headers,
      sessionType: FOREGROUND,
    });
    // It may be over already, and then says so.
    const cancel = (): void => void download.cancelAsync().catch(() => {});
    stop.addEventListener('abort', cancel);
    try {
      const answer = await download.downloadAsync();
      if (answer === null || answer === undefined) {
        throw cancelled();
      }
      return { status: answer.status, headers: answer.headers };
    } finally {
      stop.removeEventListener('abort', cancel);
    }
  });
}

/** Runs what ends when `signal` does or when its time is up, whether or not it listens. */
async function within<T>(
  timeoutMs: number,
  signal: AbortSignal | undefined,
  run: (stop: AbortSignal) => Promise<T>,
): Promise<T> {
  const { signal: stop, abort, unlink } = linked(signal);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    abort();
  }, timeoutMs);
  try {
    return await unlessAborted(run(stop), stop);
  } catch (thrown) {
    throw late
      ? new FinalmileError('TIMEOUT', 'There was no answer in time', { retryable: true })
      : thrown;
  } finally {
    clearTimeout(timer);
    unlink();
  }
}

/** A networking as the library asks it. */
export function lend(network: Network): NativeNetwork {
  return {
    async download(request, options) {
      const headers: Record<string, string> = { 'Accept-Encoding': 'identity' };
      let url = request.url;
      for (const { name, value } of request.headers) {
        if (name.toLowerCase() === TOKEN_HEADER && network.stopsAtRedirects !== true) {
          url = withParameter(url, TOKEN_PARAMETER, value);
        } else {
          headers[name] = value;
        }
      }
      const { destination: path, timeoutMs } = request;
      const signal = options?.signal ?? new AbortController().signal;
      try {
        const answer = await network.download({ url, headers, path, timeoutMs, signal });
        const answered = Object.entries(answer.headers ?? {});
        return {
          status: answer.status,
          headers: answered.map(([name, value]) => ({ name, value: String(value) })),
        };
      } catch {
        // What was thrown may name the address, and with it the token.
        throw new HostFailure.Failed({ reason: 'there was no answer' });
      }
    },
  };
}

/** By hand, because React Native's own `URL` writes some addresses anew. */
function withParameter(url: string, name: string, value: string): string {
  const [address = '', ...fragment] = url.split('#');
  const joined = `${address}${address.includes('?') ? '&' : '?'}${name}=${encodeURIComponent(value)}`;
  return [joined, ...fragment].join('#');
}
