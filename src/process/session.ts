import { StringDecoder } from 'node:string_decoder';
import type { Bytes } from '../ports/bytes.ts';
import type { Command, Finished, Session, SessionOptions } from '../ports/host.ts';
import { lineTooLong } from './failure.ts';
import { openPipeline, type PipelineSettings } from './pipeline.ts';

/** The longest line that is kept together: 16 MiB. */
const LINE_LIMIT = 16 * 1024 ** 2;

interface Outbox {
  readonly bytes: Bytes;
  put(chunk: Uint8Array): Promise<void>;
  /** All is said: the stream ends. */
  close(): void;
  /** Nobody listens any more: the stream throws, so that what was said is not taken for the whole. */
  abandon(): void;
}

/** What was written and not yet taken, as a stream. */
function outbox(): Outbox {
  const waiting: { readonly chunk: Uint8Array; readonly taken: () => void }[] = [];
  let [closed, abandoned] = [false, false];
  let wake = (): void => undefined;
  async function* bytes(): Bytes {
    try {
      for (;;) {
        if (abandoned) throw new Error('the session was left');
        const next = waiting.shift();
        if (next !== undefined) {
          yield next.chunk;
          next.taken(); // the reader comes back once the pipe has room again
        } else if (closed) return;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      closed = true;
      for (const { taken } of waiting.splice(0)) taken();
    }
  }
  return {
    bytes: bytes(),
    put: (chunk) =>
      new Promise((taken) => {
        if (closed) return taken();
        waiting.push({ chunk, taken });
        wake();
      }),
    close: () => {
      closed = true;
      wake();
    },
    abandon: () => {
      [closed, abandoned] = [true, true];
      wake();
    },
  };
}

async function* linesOf(bytes: Bytes, tooLong: () => void): AsyncGenerator<string, void> {
  const decoder = new StringDecoder('utf8');
  let pending = '';
  for await (const chunk of bytes) {
    const lines = (pending + decoder.write(Buffer.from(chunk))).split('\n');
    pending = lines.pop() ?? '';
    if (pending.length > LINE_LIMIT) tooLong();
    yield* lines;
  }
  if (pending !== '') yield pending;
}

/** Starts a program that is spoken to (ports/host.ts, Session). */
export async function openSession(
  command: Command,
  { signal, limitMs, onStderr }: SessionOptions,
  settings: PipelineSettings,
): Promise<Session> {
  const said = outbox();
  const options = {
    signal,
    input: said.bytes,
    ...(limitMs === undefined ? {} : { limitMs }),
    ...(onStderr === undefined ? {} : { onStderr }),
  };
  const pipeline = await openPipeline([command], options, settings);
  signal.addEventListener('abort', said.abandon, { once: true });
  const lines = linesOf(pipeline.output(), () => pipeline.stop(lineTooLong(command.program, LINE_LIMIT)));
  const finished = async (): Promise<Finished> => {
    const [one] = await pipeline.finished();
    if (one === undefined) throw new RangeError('a session of one program has one end');
    return one;
  };
  return {
    write: (text) => said.put(Buffer.from(text)),
    async line() {
      const { value, done } = await lines.next();
      if (done !== true) return value;
      said.close();
      await finished();
      return null;
    },
    async end() {
      said.close();
      for await (const _ of lines); // what nobody read must not keep it from ending
      return await finished();
    },
    async [Symbol.asyncDispose]() {
      signal.removeEventListener('abort', said.abandon);
      const left = pipeline[Symbol.asyncDispose]();
      said.abandon(); // after the pipeline has begun to stop: its program must not see a peaceful end
      await left;
    },
  };
}
