/** Bytes of a buffer. */
export const BUFFER_SIZE = 4 * 1024 ** 2;

const idle: Uint8Array<SharedArrayBuffer>[] = [];

/** A buffer of shared memory, which threads see without a copy; what is in it is somebody's old bytes. All who need one
 *  share those that wait: V8 does not count shared memory when it decides to collect, so that what is dropped stays, of
 *  each item some. */
export const takeBuffer = (): Uint8Array<SharedArrayBuffer> =>
  idle.pop() ?? new Uint8Array(new SharedArrayBuffer(BUFFER_SIZE));

/** For whoever took a buffer, once: neither it nor a thread looks at it any more. */
export const keepBuffer = (buffer: Uint8Array<SharedArrayBuffer>): void => void idle.push(buffer);
