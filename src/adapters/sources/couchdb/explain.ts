import { HoldfastError, messageOf, saysFull } from '../../../domain/errors.ts';
import { type Request, SilentError } from './http.ts';

/** The system's codes for a server that is not there. */
const AWAY = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'EPIPE'],
]);

/** Node's codes for a mistake of the caller's, and not of a connection. */
const OWN = /^ERR_(?!TLS|SSL|STREAM_PREMATURE)/;

/** Answers that ask for something else than was meant. */
const HINTS: Readonly<Record<number, string>> = {
  401: 'Look at `user` and `password` of the source',
  403: 'Let the account in as a member of the database; `databases: all` and restores need a server admin',
  412: 'Choose a name that is free',
  413: "The server's limits are smaller than those of the one that was dumped: max_document_size, max_attachment_size",
  507: "The server's disk is full: free space on it, and repeat",
};

/** An answer that is a refusal. Credentials are in a header, so no address here has any. */
export function refusal(status: number, body: string, source: string, { method, path }: Request): HoldfastError {
  // CouchDB has no words for a full disk but those of Erlang: `{badmatch,{error,enospc}}`.
  const hint = /\benospc\b/.test(body) ? HINTS[507] : HINTS[status];
  const what = `${method} ${path.split('?')[0]}`;
  const words = `${source}: ${reasonOf(body) || 'no reason given'} (HTTP ${status} for ${what}).`;
  return new HoldfastError('SourceFailed', words, source, hint === undefined ? {} : { hint });
}

/** CouchDB's way to say why: `{"error":"unauthorized","reason":"Name or password is incorrect."}`. */
function reasonOf(body: string): string {
  try {
    const { error = '', reason = '' } = JSON.parse(body) as { readonly error?: string; readonly reason?: string };
    return [error, reason]
      .filter((word) => typeof word === 'string' && word !== '')
      .join(', ')
      .replace(/\.$/, '')
      .slice(0, 400);
  } catch {
    return '';
  }
}

/** What the system, or the host that a connection goes through, said. */
export function explained(error: unknown, source: string, address: string): unknown {
  const away = (words: string): HoldfastError =>
    new HoldfastError('SourceMissing', `${source}: no CouchDB answers at ${address}: ${words}`, source, {
      cause: error,
      hint: 'Look whether the server runs, and at `url`, `container` or `host` of the source',
    });
  if (error instanceof HoldfastError) {
    if (error.code !== 'ProcessFailed') return error;
    const said = error.cause instanceof Error ? error.cause.message : error.message;
    if (/does not run|No such container/i.test(error.message))
      return new HoldfastError('SourceMissing', error.message, source, { cause: error, hint: error.hint });
    return away(said.trim().split('\n').at(-1) ?? '');
  }
  if (saysFull(error)) return error; // the folder of the list of documents
  const { code } = Object(error) as { readonly code?: string };
  if (code !== undefined && AWAY.has(code)) return away(messageOf(error) || code);
  if (error instanceof SilentError || (code !== undefined && !OWN.test(code)))
    return new HoldfastError('SourceFailed', `${source} at ${address}: ${messageOf(error)}`, source, {
      cause: error,
      hint: /CERT|SIGNED|ALTNAME/.test(code ?? '')
        ? 'Name the authority that signed its certificate: NODE_EXTRA_CA_CERTS=FILE'
        : "The last good point stays. Look at the server's log",
    });
  if (error instanceof Error && /^Its? /.test(error.message))
    return new HoldfastError('SourceFailed', `${source} at ${address}: ${error.message}`, source, { cause: error });
  return error;
}
