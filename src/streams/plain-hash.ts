import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { FRAME_SIZE } from './frames.ts';

/** SHA-256 of a stream of frames. */
export interface PlainHash extends AsyncDisposable {
  /** Resolves when the bytes are hashed and may be overwritten. Frames are hashed in the order of the calls. */
  update(bytes: Uint8Array<SharedArrayBuffer>): Promise<void>;
  /** Lower-case hex; the last call. */
  digest(): Promise<string>;
}

/** What the thread runs. It is passed as text, so that it works in a checkout, a bundle and a single executable alike;
 *  hence it names nothing from outside of it. A message is an array of bytes to hash, or null for the digest. */
function hashFrames(): void {
  const { parentPort } = process.getBuiltinModule('node:worker_threads');
  const hash = process.getBuiltinModule('node:crypto').createHash('sha256');
  parentPort?.on('message', (bytes: Uint8Array | null) => {
    if (bytes === null) parentPort.postMessage(hash.digest('hex'));
    else parentPort.postMessage(hash.update(bytes) && null);
  });
}

function inThread(): PlainHash {
  const worker = new Worker(`(${hashFrames})()`, { eval: true, env: {}, execArgv: [] });
  const waiting: { resolve(answer: string | null): void; reject(error: unknown): void }[] = [];
  let failure: unknown = null;
  worker.on('message', (answer: string | null) => waiting.shift()?.resolve(answer));
  worker.on('error', (error) => {
    failure = error;
    for (const { reject } of waiting.splice(0)) reject(error);
  });
  const ask = (message: Uint8Array | null): Promise<string | null> => {
    if (failure !== null) return Promise.reject(failure);
    const { promise, resolve, reject } = Promise.withResolvers<string | null>();
    waiting.push({ resolve, reject });
    worker.postMessage(message);
    return promise;
  };
  return {
    update: async (bytes) => void (await ask(bytes)),
    digest: async () => (await ask(null)) ?? '',
    [Symbol.asyncDispose]: async () => void (await worker.terminate()),
  };
}

/** Hashes in a thread of its own, so that a second core takes that part; a stream of less than one frame is hashed in
 *  the calling thread, since a thread takes longer to start than that. */
export function plainHash(): PlainHash {
  const here = createHash('sha256');
  let thread: PlainHash | null = null;
  return {
    async update(bytes) {
      if (thread === null && bytes.length < FRAME_SIZE) here.update(bytes);
      else {
        thread ??= inThread();
        await thread.update(bytes);
      }
    },
    digest: async () => (thread === null ? here.digest('hex') : await thread.digest()),
    [Symbol.asyncDispose]: async () => void (await thread?.[Symbol.asyncDispose]()),
  };
}
