import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { keepBuffer, takeBuffer } from '../ports/buffers.ts';
import { type Bytes, lend } from '../ports/bytes.ts';

/** Buffers that the thread fills ahead of the reader. */
const AHEAD = 1;

/** What a program prints, read in a thread of its own. Node's own stream of a child hands out 64 KiB at a time on the
 *  main thread, which for 1 GB is 1.3 s of it; here the main thread sees each 4 MiB once. */
export interface BulkOutput {
  /** What the program gets for its stdout. */
  readonly file: number;
  /** The program has it: from now on the end of the program is the end of the bytes. */
  handOver(): void;
  /** In whole buffers of shared memory, the last one shorter: a buffer is a frame of the stored file (streams/frames.ts),
   *  which so needs no copy. Each is lent ({@link lend}). */
  bytes(): Bytes;
  /** Ends the bytes where they are, even when somebody still holds the program's stdout. */
  stop(): void;
  /** The thread is gone and everything is closed. */
  readonly closed: Promise<void>;
}

interface Read {
  readonly length: number;
  readonly last: boolean;
}

/** What the thread runs, passed as text as in streams/plain-hash.ts, so it names nothing from outside of it.
 *  `control`: how many buffers came or `stop` was called, and whether it was. */
function readOutput(): void {
  const { parentPort, receiveMessageOnPort, workerData } = process.getBuiltinModule('node:worker_threads');
  const { readSync } = process.getBuiltinModule('node:fs');
  const { file, control } = workerData as { file: number; control: Int32Array };
  if (parentPort === null) throw new Error('this is a thread');
  const piece = new Uint8Array(64 * 1024);
  for (let taken = 0, last = false; !last; taken++) {
    Atomics.wait(control, 0, taken);
    const buffer: Uint8Array | undefined = receiveMessageOnPort(parentPort)?.message;
    let length = 0;
    while (buffer !== undefined && length < buffer.length && control[1] === 0) {
      const read = readSync(file, piece, 0, Math.min(piece.length, buffer.length - length), null);
      if (read === 0) break;
      buffer.set(piece.subarray(0, read), length);
      length += read;
    }
    last = control[1] !== 0 || buffer === undefined || length < buffer.length;
    parentPort.postMessage({ length, last } satisfies Read);
  }
}

/** A pipe with both of its ends open here. Node makes none itself: those of its children are sockets that do not block. */
async function openPipe(): Promise<{ readonly from: number; readonly to: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-'));
  try {
    const path = join(folder, 'output');
    await promisify(execFile)('mkfifo', ['-m', '600', path]);
    const both = openSync(path, constants.O_RDWR); // so that neither of the next two waits for the other
    const from = openSync(path, constants.O_RDONLY);
    const to = openSync(path, constants.O_WRONLY);
    closeSync(both);
    return { from, to };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Null where no pipe can be made, as with a TMPDIR that is missing or full: the bytes then come as of any child. */
export async function openBulkOutput(): Promise<BulkOutput | null> {
  const pipe = await openPipe().catch(() => null);
  if (pipe === null) return null;
  const { from, to } = pipe;
  const control = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
  const workerData = { file: from, control };
  const worker = new Worker(`(${readOutput})()`, { eval: true, env: {}, execArgv: [], workerData });
  let handedOver = false;
  let gone = false;
  const reads: Read[] = [];
  let failure: unknown = null;
  let wake = (): void => undefined;
  const given: Uint8Array<SharedArrayBuffer>[] = []; // to the thread, in the order in which it fills them
  worker.on('message', (read: Read) => {
    reads.push(read);
    wake();
  });
  worker.on('error', (error) => {
    failure = error;
    wake();
  });
  const closed = once(worker, 'exit').then(
    () => {
      gone = true;
      closeSync(from);
      handOver();
      wake();
    },
    () => undefined, // 'error' comes before 'exit' and is told by the bytes
  );

  function handOver(): void {
    if (!handedOver) closeSync(to);
    handedOver = true;
  }
  function tell(): void {
    Atomics.add(control, 0, 1);
    Atomics.notify(control, 0);
  }
  function give(): void {
    const buffer = takeBuffer();
    given.push(buffer);
    worker.postMessage(buffer);
    tell();
  }
  function stop(): void {
    if (gone) return;
    Atomics.store(control, 1, 1);
    tell();
    handOver();
    // A read that waits is woken by a byte; a pipe that is full has no read that waits.
    const end = openSync(`/proc/self/fd/${from}`, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      writeSync(end, '\0');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    } finally {
      closeSync(end);
    }
  }
  async function* bytes(): Bytes {
    try {
      for (let ahead = 0; ahead < AHEAD; ahead++) give();
      for (;;) {
        while (reads.length === 0 && failure === null && !gone) await new Promise<void>((resolve) => (wake = resolve));
        const read = reads.shift();
        const buffer = given.shift();
        if (read === undefined || buffer === undefined) {
          if (failure !== null) throw failure;
          return;
        }
        if (!read.last) give();
        if (read.length === 0) keepBuffer(buffer);
        else yield lend(buffer.subarray(0, read.length), () => keepBuffer(buffer));
        if (read.last) return;
      }
    } finally {
      stop();
    }
  }
  return { file: to, handOver, bytes, stop, closed };
}
