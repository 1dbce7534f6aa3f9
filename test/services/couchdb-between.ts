import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';

/** What becomes of a request that changes something: `cut` ends all connections, this one's before it is answered; `full`
 *  answers as CouchDB 3.3 does whose disk is full. */
export type Hook = (asked: string) => Promise<'pass' | 'cut' | 'full'>;

/** A way to a CouchDB that can be cut, as when its machine or the network goes away. */
export interface Between extends AsyncDisposable {
  readonly url: string;
  /** How many requests that change something went through. */
  readonly changes: () => number;
  /** Called before each of them, `PUT /vault/_security`. */
  before: Hook;
  /** Changes what is told of a database, `GET /vault`. */
  told: (text: string) => string;
  /** Called once each of them was answered by the server, and before the answer is passed on. */
  after: Hook;
}

const changing = ({ method, url = '' }: IncomingMessage): boolean =>
  method === 'PUT' || method === 'DELETE' || (method === 'POST' && url.includes('/_bulk_docs'));

export async function between(target: string): Promise<Between> {
  let [changes, isCut] = [0, false];
  const server = createServer(async (incoming, response) => {
    const { method = '', url = '', headers } = incoming;
    const asked = `${method} ${decodeURIComponent(url.split('?')[0] ?? '')}`;
    const counts = changing(incoming);
    const cut = (): void => {
      isCut = true;
      server.closeAllConnections();
    };
    if (isCut) return cut();
    const fate = counts ? await made.before(asked) : 'pass';
    if (fate === 'cut') return cut();
    if (fate === 'full') {
      incoming.resume();
      return response.writeHead(500).end('{"error":"badmatch","reason":"{error,enospc}"}');
    }
    const onward = request(target + url, { method, headers });
    onward.once('error', cut);
    onward.once('response', async (answer) => {
      if (counts) changes += 1;
      if (counts && (await made.after(asked)) === 'cut') return cut();
      const { 'content-length': _, ...came } = answer.headers;
      response.writeHead(answer.statusCode ?? 500, came);
      if (method === 'GET' && /^\/[^/?_][^/?]*$/.test(url)) response.end(made.told((await answer.toArray()).join('')));
      else answer.pipe(response);
    });
    incoming.pipe(onward);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const made: Between = {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    changes: () => changes,
    told: (text) => text,
    before: async () => 'pass',
    after: async () => 'pass',
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
  return made;
}
