import { HoldfastError } from '../../../domain/errors.ts';
import type { Reached } from '../server/reach.ts';
import { addressOf, type CouchdbSettings } from './config.ts';
import { explained, refusal } from './explain.ts';
import { type Answer, type Http, openHttp, type Request } from './http.ts';

/** A server that is spoken to by its API. Hold it with `await using`. */
export interface Client extends AsyncDisposable {
  /** An answer of 2xx, or one of `accept`. @throws SourceMissing, SourceFailed in words that say what to do */
  open(request: Request, accept?: readonly number[]): Promise<Answer>;
  /** The same, read and parsed; null for an answer of `accept`. */
  ask(request: Request, accept?: readonly number[]): Promise<unknown>;
  /** What went wrong while an answer was read. */
  explain(error: unknown): unknown;
}

/** What is read as a whole, and is no document: 64 MiB. */
const LONGEST_ANSWER = 64 * 1024 ** 2;
const LONGEST_REFUSAL = 64 * 1024;

/** @param source its name, for errors */
export function clientOf(
  source: string,
  settings: CouchdbSettings,
  { host, password }: Pick<Reached, 'host' | 'password'>,
  signal: AbortSignal,
): Client {
  const server = addressOf(settings);
  const { user } = settings.couchdb;
  const login = user === undefined ? null : `${user}:${password?.reveal() ?? ''}`;
  const authorization = login === null ? null : `Basic ${Buffer.from(login).toString('base64')}`;
  const http: Http = openHttp(server, authorization, host, signal);
  const explain = (error: unknown): unknown => {
    signal.throwIfAborted();
    return explained(error, source, server.origin);
  };

  async function open(request: Request, accept: readonly number[] = []): Promise<Answer> {
    let answer: Answer;
    try {
      answer = await http.send(request);
    } catch (error) {
      throw explain(error);
    }
    const { status } = answer;
    if ((status >= 200 && status < 300) || accept.includes(status)) return answer;
    throw refusal(status, await wordsOf(answer), source, request);
  }

  return {
    open,
    explain,
    async ask(request, accept = []) {
      const { bytes, status } = await open(request, accept);
      let text: string;
      try {
        text = await read(bytes, LONGEST_ANSWER);
      } catch (error) {
        throw explain(error);
      }
      if (accept.includes(status)) return null;
      try {
        return JSON.parse(text);
      } catch {
        throw new HoldfastError('SourceFailed', `${source}: what answers at ${server.origin} is no CouchDB.`, source, {
          hint: 'Look at `url`, or `host` and `port`, of the source',
        });
      }
    },
    [Symbol.asyncDispose]: () => http[Symbol.asyncDispose](),
  };
}

async function read(bytes: Answer['bytes'], limit: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of bytes) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > limit) throw new Error(`Its answer has more than ${limit} bytes.`);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** What a refusal says of itself; nothing when it cannot be read. */
const wordsOf = ({ bytes }: Answer): Promise<string> => read(bytes, LONGEST_REFUSAL).catch(() => '');
