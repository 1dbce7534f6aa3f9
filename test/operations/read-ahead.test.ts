import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { readAhead, readAheadRoom } from '../../src/operations/read-ahead.ts';
import { type Bytes, lend } from '../../src/ports/bytes.ts';
import { collect, noise } from '../contracts/captured-items.ts';

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await setImmediate();
};

const CHUNK = 64 * 1024;

/** Gives `count` chunks, then fails when it is to; `given` tells how many were asked for. */
function producer(count: number, failure?: Error) {
  const seen = { given: 0, closed: false, aborted: null as unknown };
  const read = async function* (signal: AbortSignal): Bytes {
    try {
      for (; seen.given < count; seen.given++) {
        signal.throwIfAborted();
        yield new Uint8Array(CHUNK).fill(seen.given);
      }
      if (failure !== undefined) throw failure;
    } finally {
      await setImmediate();
      seen.aborted = signal.reason;
      seen.closed = true;
    }
  };
  return { seen, read };
}

const WHOLE = Array.from({ length: 20 }, (_, index) => index);

/** Takes all; `taken` has the first byte of each chunk so far. */
function taking(bytes: Bytes) {
  const taken: (number | undefined)[] = [];
  const all = (async () => {
    for await (const chunk of bytes) taken.push(chunk[0]);
  })();
  return { taken, all };
}

describe('what is read ahead', () => {
  test('is read to its end before it is given, and comes whole and in order', async ({ signal }) => {
    const { seen, read } = producer(20);
    const ended = Promise.withResolvers<void>();
    const { taken, all } = taking(readAhead(read, signal, readAheadRoom(100 * CHUNK), () => ended.promise));
    await turns();
    expect([taken, seen]).toEqual([[], { given: 20, closed: true, aborted: undefined }]);
    ended.resolve();
    await all;
    expect(taken).toEqual(WHOLE);
  });

  test('is never more than the limit ahead', async ({ signal }) => {
    const { seen, read } = producer(20);
    const bytes = readAhead(read, signal, readAheadRoom(5 * CHUNK), async () => {})[Symbol.asyncIterator]();
    for (let taken = 1; taken <= 20; taken++) {
      expect((await bytes.next()).value).toHaveLength(CHUNK);
      await turns();
      expect(seen.given).toBeLessThanOrEqual(taken + 5);
    }
    expect((await bytes.next()).done).toBe(true);
  });

  test('is given only as far as there must be room for more', async ({ signal }) => {
    const { seen, read } = producer(20);
    const ended = Promise.withResolvers<void>();
    const { taken, all } = taking(readAhead(read, signal, readAheadRoom(5 * CHUNK), () => ended.promise));
    await turns();
    expect([seen.closed, taken]).toEqual([true, Array.from({ length: 16 }, (_, index) => index)]);
    ended.resolve();
    await all;
    expect(taken).toEqual(WHOLE);
  });

  test('fails at once, so that what is down does not wait until the rest is packed', async ({ signal }) => {
    const { read } = producer(3, new Error('cut off'));
    let [taken, ended] = [0, false];
    const onEnd = async (): Promise<void> => {
      ended = true;
    };
    const all = (async () => {
      for await (const _ of readAhead(read, signal, readAheadRoom(100 * CHUNK), onEnd)) taken += 1;
    })();
    await expect(all).rejects.toThrow('cut off');
    expect([taken, ended]).toEqual([0, false]);
  });

  test('ends its producer, and waits for that, when nobody takes it any more', async ({ signal }) => {
    const { seen, read } = producer(20);
    for await (const _ of readAhead(read, signal, readAheadRoom(5 * CHUNK), async () => {})) break;
    expect(seen.closed).toBe(true);
    expect(seen.aborted).toBeInstanceOf(Error);
    expect(seen.given).toBeLessThan(20);
  });

  test('ends with the reason of an abort', async () => {
    const abort = new AbortController();
    const { seen, read } = producer(1000);
    const all = (async () => {
      for await (const _ of readAhead(read, abort.signal, readAheadRoom(5 * CHUNK), async () => {}))
        abort.abort(new Error('enough'));
    })();
    await expect(all).rejects.toThrow('enough');
    expect(seen.closed).toBe(true);
  });

  test('shares its room, and comes whole however little of that there is', async ({ signal }) => {
    const room = readAheadRoom(5 * CHUNK);
    const ended = Promise.withResolvers<void>();
    let most = 0;
    const readers = [0, 1, 2].map(async () => {
      const { read } = producer(20);
      const taken: (number | undefined)[] = [];
      for await (const chunk of readAhead(read, signal, room, () => ended.promise)) {
        await setImmediate();
        taken.push(chunk[0]);
      }
      return taken;
    });
    for (let turn = 0; turn < 300; turn++) {
      await setImmediate();
      most = Math.max(most, room.waiting());
    }
    ended.resolve();
    expect(await Promise.all(readers)).toEqual([WHOLE, WHOLE, WHOLE]);
    // each may read one chunk more than there is room for
    expect(most).toBeLessThanOrEqual((5 + 3) * CHUNK);
    expect(room.waiting()).toBe(0);
  });

  test('comes as it is read where there is no memory to wait in', async ({ signal }) => {
    const { read } = producer(20);
    const { taken, all } = taking(readAhead(read, signal, readAheadRoom(0), async () => {}));
    await all;
    expect(taken).toEqual(WHOLE);
  });

  test('ends with the reason of an abort while others hold all the room', async () => {
    const abort = new AbortController();
    const room = readAheadRoom(5 * CHUNK);
    room.add(5 * CHUNK);
    const { seen, read } = producer(20);
    const all = (async () => {
      for await (const _ of readAhead(read, abort.signal, room, async () => {}));
    })();
    await turns();
    expect(seen.given).toBe(0);
    abort.abort(new Error('enough'));
    await expect(all).rejects.toThrow('enough');
    expect([seen.closed, room.waiting()]).toEqual([true, 5 * CHUNK]);
  });

  test('waits for a unit that takes long to start, also when it is interrupted meanwhile', async () => {
    const abort = new AbortController();
    const started = Promise.withResolvers<void>();
    let over = false;
    const all = (async () => {
      for await (const _ of readAhead(producer(3).read, abort.signal, readAheadRoom(), () => started.promise));
    })();
    void all.then(() => (over = true));
    await turns();
    abort.abort(new Error('enough'));
    await turns();
    expect(over).toBe(false);
    started.resolve();
    await all;
  });

  /** Parts of buffers that are lent, each the second half of one; `lent` counts those that were not given back. */
  function parts(bytes: Uint8Array, length: number) {
    const seen = { lent: 0 };
    const read = async function* (): Bytes {
      for (let at = 0; at < bytes.length; at += length) {
        const part = bytes.subarray(at, at + length);
        const buffer = new Uint8Array(8 * CHUNK);
        buffer.set(part);
        seen.lent += 1;
        yield lend(buffer.subarray(0, part.length), () => {
          buffer.fill(0xff);
          seen.lent -= 1;
        });
      }
    };
    return { seen, read };
  }

  test.each([100, 3 * CHUNK])('keeps no buffer for a part of it of %i bytes', async (length) => {
    const { signal } = new AbortController();
    const bytes = noise(1000 * 100 + (length === 100 ? 3 : 3_000_003), 7);
    const { seen, read } = parts(bytes, length);
    let [lent, chunks] = [-1, 0];
    const onEnd = async (): Promise<void> => {
      lent = seen.lent;
    };
    async function* counted(): Bytes {
      for await (const chunk of readAhead(read, signal, readAheadRoom(), onEnd)) {
        chunks += 1;
        yield chunk;
      }
    }
    expect(Buffer.compare(await collect(counted()), bytes)).toBe(0);
    expect(lent).toBe(0);
    expect(chunks).toBeLessThan(20);
  });

  test('gives back what nobody takes any more', async ({ signal }) => {
    const { seen, read } = parts(noise(25 * CHUNK, 7), 5 * CHUNK);
    const room = readAheadRoom(12 * CHUNK);
    let most = 0;
    for await (const _ of readAhead(read, signal, room, async () => {})) {
      most = seen.lent;
      break;
    }
    expect([most > 2, seen.lent, room.waiting()]).toEqual([true, 1, 0]); // the one that was taken
  });
});
