/** An `XMLHttpRequest` over Node's http, for React Native's own `FormData`: files are read where they lie. */
import fs from 'node:fs';
import http from 'node:http';
import { fileURLToPath } from 'node:url';

interface Part {
  headers: Record<string, string>;
  string?: string;
  uri?: string;
}

export class NodeXhr {
  upload: { onprogress?: (event: { loaded: number; total: number }) => void } = {};
  onload?: () => void;
  onerror?: () => void;
  onabort?: () => void;
  ontimeout?: () => void;
  timeout = 0;
  status = 0;
  responseText = '';
  private url = '';
  private readonly headers: Record<string, string> = {};
  private answered: http.IncomingHttpHeaders = {};
  private request: http.ClientRequest | undefined;
  private over = false;

  open(_: string, url: string): void {
    this.url = url;
  }

  setRequestHeader(name: string, value: string): void {
    this.headers[name] = value;
  }

  getResponseHeader(name: string): string | null {
    return (this.answered[name.toLowerCase()] as string | undefined) ?? null;
  }

  abort(): void {
    this.end(this.onabort);
  }

  send(form: { getParts(): Part[] }): void {
    const boundary = 'a-boundary';
    const body = Buffer.concat([
      ...form.getParts().flatMap((part) => [
        Buffer.from(`--${boundary}\r\n`),
        Buffer.from(Object.entries(part.headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')),
        Buffer.from('\r\n'),
        part.uri === undefined ? Buffer.from(part.string ?? '') : fs.readFileSync(fileURLToPath(part.uri)),
        Buffer.from('\r\n'),
      ]),
      Buffer.from(`--${boundary}--\r\n`),
    ]);
    const headers = { ...this.headers, 'content-type': `multipart/form-data; boundary=${boundary}` };
    this.request = http.request(this.url, { method: 'POST', headers }, (answer) => {
      this.status = answer.statusCode ?? 0;
      this.answered = answer.headers;
      answer.on('data', (part: Buffer) => (this.responseText += part.toString()));
      answer.on('end', () => this.end(this.onload));
      answer.on('error', () => this.end(this.onerror));
    });
    this.request.on('error', () => this.end(this.onerror));
    this.request.setTimeout(this.timeout, () => this.end(this.ontimeout));
    this.request.end(body, () => {
      this.upload.onprogress?.({ loaded: body.length / 2, total: body.length });
      this.upload.onprogress?.({ loaded: body.length, total: body.length });
    });
  }

  private end(told: (() => void) | undefined): void {
    if (!this.over) {
      this.over = true;
      this.request?.destroy();
      told?.();
    }
  }
}
