import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import * as plain from 'node:http';
import * as secure from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Host } from '../../../ports/host.ts';
import { TubeAgent } from './tube.ts';

export interface Request {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Percent-encoded, below the server's address, beginning with a slash. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: Uint8Array | Bytes;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Throws unless the server sent all of it. Whoever does not read it to its end leaves the loop. */
  readonly bytes: Bytes;
}

/** A server that is asked over HTTP. Hold it with `await using`: leaving the block closes its connections. */
export interface Http extends AsyncDisposable {
  /** @throws Error with the `code` of the system when the server is away */
  send(request: Request): Promise<Answer>;
}

/** Milliseconds in which a server neither takes nor gives a byte. */
const SILENCE_MS = 300_000;

export class SilentError extends Error {}

/** Ends a request whose server says nothing; it rests while the bytes wait for their reader. */
function watch(end: (error: Error) => void): { resume(): void; rest(): void } {
  let timer: NodeJS.Timeout | undefined;
  const rest = (): void => clearTimeout(timer);
  return {
    rest,
    resume() {
      rest();
      timer = setTimeout(() => end(new SilentError(`It said nothing for ${SILENCE_MS / 1000} s.`)), SILENCE_MS);
    },
  };
}

/** @param authorization the header that goes with each request; null for none */
export function openHttp(server: URL, authorization: string | null, host: Host, signal: AbortSignal): Http {
  const direct = host.capabilities.localPaths;
  const tubes = direct ? null : new TubeAgent(host, server, signal);
  const { Agent, request } = server.protocol === 'https:' && direct ? secure : plain;
  const agent = tubes ?? new Agent({ keepAlive: true, maxSockets: 4 });
  const prefix = server.pathname.replace(/\/+$/, '');
  const fixed = {
    agent,
    signal,
    host: server.hostname.replace(/^\[|\]$/g, ''),
    ...(server.port === '' ? {} : { port: server.port }),
  };
  const common = {
    Accept: 'application/json',
    'Accept-Encoding': 'identity',
    Host: server.host,
    ...(authorization === null ? {} : { Authorization: authorization }),
  };

  async function* read(message: IncomingMessage, quiet: ReturnType<typeof watch>): Bytes {
    try {
      quiet.resume();
      for await (const chunk of message) {
        quiet.rest();
        yield chunk;
        quiet.resume();
      }
    } finally {
      quiet.rest();
    }
  }

  function once({ method, path, headers = {}, body }: Request): Promise<Answer & { readonly reused: boolean }> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer & { readonly reused: boolean }>();
    const sent = request({ ...fixed, method, path: prefix + path, headers: { ...common, ...headers } });
    const quiet = watch((error) => void sent.destroy(error));
    quiet.resume();
    sent.once('response', (message) => {
      quiet.rest();
      const bytes = read(message, quiet);
      resolve({ status: message.statusCode ?? 0, headers: message.headers, bytes, reused: sent.reusedSocket });
    });
    // Stays for what comes after the answer began: its reader is told by the message.
    sent.on('error', (error) => {
      quiet.rest();
      reject(Object.assign(error, { reused: sent.reusedSocket }));
    });
    if (body === undefined || body instanceof Uint8Array) {
      sent.end(body);
      return promise;
    }
    async function* given(bytes: Bytes): Bytes {
      for await (const chunk of bytes) {
        yield chunk;
        quiet.resume();
      }
    }
    // A server that refuses answers before it took all; then its answer is told, and not the broken pipe.
    pipeline(Readable.from(given(body), { objectMode: false }), sent).catch(reject);
    return promise;
  }

  return {
    async send(wanted) {
      signal.throwIfAborted();
      try {
        return await once(wanted);
      } catch (error) {
        signal.throwIfAborted();
        // A connection that was kept may be closed by the server just when it is used again.
        const repeats = wanted.body === undefined || wanted.body instanceof Uint8Array;
        if (!repeats || !Object(error).reused || Object(error).code !== 'ECONNRESET') throw error;
        return await once(wanted);
      }
    },
    async [Symbol.asyncDispose]() {
      if (tubes) await tubes.close();
      else agent.destroy();
    },
  };
}
