/** Networks for tests: they write what they are told, and remember what they were asked. */

import {
  CacheSettings,
  GatewaySettings,
  HostFailure,
  type IpfsCache,
  type Network,
  NetworkAnswer,
  type NetworkRequest,
  openCache,
} from 'finalmile';

import { pause } from './check';
import { cidOf } from './cids';
import type { Stage } from './harness';

export const GATEWAY = 'https://gateway.example';

/** Answers with what it holds, a while after it was asked. */
export class Shelf implements Network {
  readonly asked: NetworkRequest[] = [];
  private readonly texts = new Map<string, string>();

  constructor(
    private readonly stage: Stage,
    private readonly takesMs = 5,
  ) {}

  /** Holds a text from now on, and tells its id. */
  async holding(text: string): Promise<string> {
    const cid = await cidOf(text);
    this.texts.set(cid, text);
    return cid;
  }

  async download(request: NetworkRequest): Promise<NetworkAnswer> {
    this.asked.push(request);
    await pause(this.stage.host, this.takesMs);
    const text = Array.from(this.texts).find(([cid]) => request.url.includes(cid))?.[1];
    if (text === undefined) return NetworkAnswer.create({ status: 404, headers: [] });
    this.stage.host.write(request.destination, text);
    const headers = [
      { name: 'Content-Type', value: 'application/vnd.ipld.raw' },
      { name: 'Content-Length', value: `${text.length}` },
    ];
    return NetworkAnswer.create({ status: 200, headers });
  }
}

/** Answers as it is told. */
export class Told implements Network {
  readonly asked: NetworkRequest[] = [];

  constructor(private readonly answer: (request: NetworkRequest) => Promise<NetworkAnswer>) {}

  download(request: NetworkRequest): Promise<NetworkAnswer> {
    this.asked.push(request);
    return this.answer(request);
  }
}

/** A network that is not there. */
export const cut = () => new Told(() => Promise.reject(new HostFailure.Failed({ reason: 'no route' })));

/** A network that never answers. */
export const silent = () => new Told(() => new Promise(() => undefined));

/**
 * The cache of a case, in a folder of the case.
 *
 * The generated type of the answer is an interface, which knows no defaults; what is answered is the class.
 */
export async function cacheOf(
  stage: Stage,
  network: Network,
  wishes: Partial<CacheSettings> = {},
): Promise<IpfsCache> {
  const gateways = [GatewaySettings.create({ url: GATEWAY })];
  const settings = CacheSettings.create({ folder: `${stage.folder}/cache`, gateways, ...wishes });
  return (await openCache(settings, network)) as IpfsCache;
}
