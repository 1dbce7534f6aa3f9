import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { available } from './available.ts';

const CHILD = resolve(import.meta.dirname, 'couchdb.child.ts');

/** Whether one can be started here: its program comes with the development dependencies. */
export const couchdbAvailable = (): boolean => ['setpriv', 'curl', 'jq'].every(available);

// biome-ignore lint/suspicious/noExplicitAny: what the server answered is looked at by the assertions alone
export type Json = any;

/** A CouchDB of its own on a free port of loopback, empty, which ends with its data. */
export interface CouchdbServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** What it answers; `body` is sent as JSON unless it is bytes. An answer that is an error rejects. */
  ask(method: string, path: string, body?: object | Uint8Array, type?: string): Promise<Json>;
  /** The same by the account that is no admin. */
  askAsMember(path: string): Promise<Response>;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
}

/** Of an account that may do what a database's `_security` lets it, where there is a login. */
export const MEMBER = 'cook:spoon';

/** @param login `user:password` of the admin, without which, or that of {@link MEMBER}, nobody is let in
 *  @param through the words of a program that becomes the server: nsenter, so that only a container reaches it */
export async function couchdbServer(login = '', through: readonly string[] = []): Promise<CouchdbServer> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-couch-'));
  // A test process that is killed takes its server along.
  const words = [...through, process.execPath, '--no-deprecation', CHILD];
  const server = spawn('setpriv', ['--pdeathsig', 'KILL', ...words], {
    ...{
      cwd: folder,
      env: { ...process.env, COUCH_LOGIN: login, COUCH_MEMBER: login === '' ? '' : MEMBER, TMPDIR: folder },
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(server, 'exit');
  let said = '';
  server.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-8000);
  });
  const [first] = await Promise.race([once(server.stdout, 'data'), closed.then(() => [null])]);
  if (first === null) throw new Error(`the server ended: ${said}`);
  const port = Number(first.toString());
  const url = `http://127.0.0.1:${port}`;
  const basic = (words: string) => ({ Authorization: `Basic ${Buffer.from(words).toString('base64')}` });
  const credentials = login === '' ? {} : basic(login);
  const kill = async (): Promise<void> => {
    server.kill('SIGKILL');
    await closed;
  };
  return {
    url,
    port,
    kill,
    askAsMember: (path) => fetch(url + path, { headers: basic(MEMBER) }),
    async ask(method, path, body, type = 'application/json') {
      const sent = body === undefined || body instanceof Uint8Array ? body : JSON.stringify(body);
      const headers = { ...credentials, ...(sent === undefined ? {} : { 'Content-Type': type }) };
      const answer = await fetch(url + path, { method, headers, body: sent ?? null });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text;
    },
    async [Symbol.asyncDispose]() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
