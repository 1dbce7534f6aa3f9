import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Host } from '../../../ports/host.ts';
import type { Validator } from '../../../ports/validator.ts';
import { connectionWords, type Found, isLoopback, probeValidator } from '../probe/probe.ts';
import type { HttpSettings } from './config.ts';

/** An answer that takes longer is none. */
export const HTTP_LIMIT_MS = 10_000;
const MOST_REDIRECTS = 10;

/** An address that answers with a status. Each look makes a connection of its own: an old one may still reach a process
 *  that was told to end. */
export function httpValidator(
  { http, status }: HttpSettings,
  { host }: { readonly host: Host },
  { limitMs = HTTP_LIMIT_MS }: { readonly limitMs?: number } = {},
): Validator {
  const url = new URL(http);
  const name = `http ${shown(url)}`;
  return probeValidator(name, async (signal) => {
    signal.throwIfAborted();
    if (!host.capabilities.localPaths && isLoopback(url.hostname))
      throw new HoldfastError(
        'Unsupported',
        `${shown(url)} is an address of ${host.name}, not of this machine.`,
        name,
        {
          hint: 'Write an address under which this machine reaches it, or a command',
        },
      );
    const limit = AbortSignal.timeout(limitMs);
    try {
      return await ask(url, status ?? null, AbortSignal.any([signal, limit]));
    } catch (error) {
      signal.throwIfAborted();
      if (limit.aborted) return { good: false, detail: `no answer within ${limitMs / 1000} s` };
      return { good: false, detail: connectionWords(error) };
    }
  });
}

/** @param wanted null for any of 200 to 399: a redirection is an answer then, and is not followed */
async function ask(url: URL, wanted: number | null, signal: AbortSignal): Promise<Found> {
  let at = url;
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects += 1) {
    const { status, location } = await answer(at, signal);
    const words = `status ${status}${at === url ? '' : ` from ${shown(at)}`}`;
    if (wanted === null) return { good: status >= 200 && status <= 399, detail: words };
    if (status === wanted) return { good: true, detail: words };
    const next = status >= 300 && status <= 399 && location !== undefined ? URL.parse(location, at) : null;
    if (next === null || !/^https?:$/.test(next.protocol))
      return { good: false, detail: `${words}, and ${wanted} is wanted` };
    // a password is for the server that it was written for
    if (next.origin === url.origin) Object.assign(next, { username: url.username, password: url.password });
    at = next;
  }
  return { good: false, detail: `redirected more than ${MOST_REDIRECTS} times, at last to ${shown(at)}` };
}

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
}

const answer = (url: URL, signal: AbortSignal): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? secureRequest : plainRequest;
    const headers = { 'user-agent': 'holdfast', accept: '*/*' };
    const sent = request(url, { agent: false, headers, signal }, (response: IncomingMessage) => {
      const { statusCode = 0, headers: received } = response;
      resolve({ status: statusCode, location: received.location });
      response.destroy(); // what it says beyond its status is not read
    });
    sent.on('error', reject);
    sent.end();
  });

/** Without what may be a secret. */
function shown(url: URL): string {
  const copy = new URL(url);
  copy.username = '';
  copy.password = '';
  if (copy.search !== '') copy.search = '?…'; // addresses of APIs have their keys there
  return decodeURI(copy.href);
}
