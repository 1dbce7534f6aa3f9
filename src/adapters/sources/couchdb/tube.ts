import { Agent } from 'node:http';
import { Duplex, PassThrough, Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { connect } from 'node:tls';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Host } from '../../../ports/host.ts';

/** bash(1), REDIRECTION, `/dev/tcp`. It ends when the server closes the connection; its reader's end is told by a signal. */
const TUBE = `exec 3<>"/dev/tcp/$1/$2" || exit 1
exec 4<&0
cat <&4 >&3 &
exec 4<&-
cat <&3
kill "$!" 2>/dev/null
exit 0`;

/** What is sent, until the program is gone: a stream's own iterator would wait for a chunk before it lets itself be left. */
const untilLeft = (sent: PassThrough): Bytes => ({
  [Symbol.asyncIterator]() {
    const chunks = sent[Symbol.asyncIterator]();
    return {
      next: () => chunks.next(),
      return: async () => ({ done: true, value: undefined }),
    };
  },
});

/** One stream of two; the types do not know that a pair is taken. */
const joined = (readable: Readable, writable: PassThrough): Duplex =>
  Duplex.from({ readable, writable } as unknown as NodeJS.ReadableStream);

/** Connections to a server that only another host, or a container, can reach: each is a program there whose stdin and
 *  stdout are the connection. So passwords travel on stdin, and nothing is opened on this machine. */
export class TubeAgent extends Agent {
  readonly #open: () => Duplex;
  readonly #tubes = new Set<Duplex>();

  constructor(host: Host, server: URL, signal: AbortSignal) {
    super({ keepAlive: true, maxSockets: 4 });
    const secure = server.protocol === 'https:';
    const name = server.hostname.replace(/^\[|\]$/g, '');
    const port = server.port || (secure ? '443' : '80');
    this.#open = () => {
      const sent = new PassThrough();
      const command = { program: 'bash', args: ['-c', TUBE, 'bash', name, port] };
      const came = Readable.from(host.read([command], { signal, input: untilLeft(sent) }), { objectMode: false });
      const tube = joined(came, sent);
      this.#tubes.add(tube);
      came.once('close', () => this.#tubes.delete(tube));
      return secure ? connect({ socket: tube, servername: name }) : tube;
    };
  }

  override createConnection(): Duplex {
    return this.#open();
  }
  /** A tube has none of a socket's settings. */
  override keepSocketAlive(): boolean {
    return true;
  }
  override reuseSocket(): void {}

  /** Ends the programs, and waits until they ended. */
  async close(): Promise<void> {
    this.destroy();
    const left = [...this.#tubes];
    for (const tube of left) tube.destroy();
    await Promise.all(left.map((tube) => finished(tube).catch(() => undefined)));
  }
}
