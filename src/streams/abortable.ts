import type { Bytes } from '../ports/bytes.ts';

/** The same bytes; an abort ends the wait for the next chunk at once, even when their producer does not hear of it. */
export async function* abortable(bytes: Bytes, signal: AbortSignal): Bytes {
  signal.throwIfAborted();
  let stop: (reason: unknown) => void = () => {};
  const onAbort = (): void => stop(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const iterator = bytes[Symbol.asyncIterator]();
  // A promise for each chunk: a race against one long-lived promise would keep something of every chunk alive.
  const next = (): Promise<IteratorResult<Uint8Array>> =>
    new Promise((resolve, reject) => {
      stop = reject;
      if (signal.aborted) reject(signal.reason);
      else iterator.next().then(resolve, reject);
    });
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await next();
      ended = done === true;
      if (done) return;
      yield value;
    }
  } catch (error) {
    ended = !signal.aborted; // an iterator that threw has ended
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    if (!ended) {
      const released = Promise.resolve(iterator.return?.());
      if (signal.aborted)
        released.catch(() => {}); // it may never answer: the reason of the abort is the one to tell
      else await released;
    }
  }
}
