import { Agent } from 'node:http';
import { Duplex, PassThrough, Readable } from 'node:stream';
import { connect } from 'node:tls';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Host } from '../../../ports/host.ts';

/** bash(1), REDIRECTION, `/dev/tcp`. It ends when the server closes the connection; its reader's end is told by a signal.
 *  It waits for its own child, which few containers have somebody else to do. No cat: that of BusyBox 1.35 copies by
 *  sendfile(2), 16 MiB at a time, and keeps what a connection gave until more comes. */
const TUBE = `exec 3<>"/dev/tcp/$1/$2" || exit 1
trap 'wait; exit 143' TERM
exec 4<&0
dd bs=65536 <&4 >&3 2>/dev/null &
exec 4<&-
dd bs=65536 <&3 2>/dev/null
kill "$!" 2>/dev/null
wait
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
  /** Each until its program ended. */
  readonly #tubes = new Map<Duplex, Promise<void>>();

  constructor(host: Host, server: URL, signal: AbortSignal) {
    super({ keepAlive: true, maxSockets: 4 });
    const secure = server.protocol === 'https:';
    const name = server.hostname.replace(/^\[|\]$/g, '');
    const port = server.port || (secure ? '443' : '80');
    this.#open = () => {
      const sent = new PassThrough();
      const command = { program: 'bash', args: ['-c', TUBE, 'bash', name, port] };
      const came = Readable.from(host.read([command], { signal, input: untilLeft(sent) }), { objectMode: false });
      const tube = Object.assign(joined(came, sent), { ref: () => undefined }); // what a socket has, and an agent calls
      const ended = Promise.withResolvers<void>();
      this.#tubes.set(tube, ended.promise);
      came.once('close', () => {
        this.#tubes.delete(tube);
        ended.resolve();
      });
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

  /** Ends the programs, and waits until they ended. */
  async close(): Promise<void> {
    this.destroy();
    for (const tube of this.#tubes.keys()) tube.destroy();
    await Promise.all(this.#tubes.values());
  }
}
