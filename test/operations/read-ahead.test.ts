import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { readAhead, readAheadRoom } from '../../src/operations/read-ahead.ts';
import type { Bytes } from '../../src/ports/bytes.ts';

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await setImmediate();
};

/** Gives `count` chunks of ten bytes, then fails when it is to; `given` tells how many were asked for. */
function producer(count: number, failure?: Error) {
  const seen = { given: 0, closed: false, aborted: null as unknown };
  const read = async function* (signal: AbortSignal): Bytes {
    try {
      for (; seen.given < count; seen.given++) {
        signal.throwIfAborted();
        yield new Uint8Array(10).fill(seen.given);
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

describe('what is read ahead', () => {
  test('is read to its end before it is given, and comes whole and in order', async ({ signal }) => {
    const { seen, read } = producer(20);
    const ended = Promise.withResolvers<void>();
    const taken: (number | undefined)[] = [];
    const all = (async () => {
      for await (const chunk of readAhead(read, signal, readAheadRoom(1000), () => ended.promise)) taken.push(chunk[0]);
    })();
    await turns();
    expect([taken, seen]).toEqual([[], { given: 20, closed: true, aborted: undefined }]);
    ended.resolve();
    await all;
    expect(taken).toEqual(Array.from({ length: 20 }, (_, index) => index));
  });

  test('is never more than the limit ahead', async ({ signal }) => {
    const { seen, read } = producer(20);
    const bytes = readAhead(read, signal, readAheadRoom(50), async () => {})[Symbol.asyncIterator]();
    for (let taken = 1; taken <= 20; taken++) {
      expect((await bytes.next()).value).toHaveLength(10);
      await turns();
      expect(seen.given).toBeLessThanOrEqual(taken + 5);
    }
    expect((await bytes.next()).done).toBe(true);
  });

  test('is given only as far as there must be room for more', async ({ signal }) => {
    const { seen, read } = producer(20);
    const ended = Promise.withResolvers<void>();
    const taken: (number | undefined)[] = [];
    const all = (async () => {
      for await (const chunk of readAhead(read, signal, readAheadRoom(50), () => ended.promise)) taken.push(chunk[0]);
    })();
    await turns();
    expect([seen.closed, taken]).toEqual([true, Array.from({ length: 16 }, (_, index) => index)]);
    ended.resolve();
    await all;
    expect(taken).toEqual(Array.from({ length: 20 }, (_, index) => index));
  });

  test('fails after what came before was taken', async ({ signal }) => {
    const { read } = producer(3, new Error('cut off'));
    let [taken, ended] = [0, false];
    const onEnd = async (): Promise<void> => {
      ended = true;
    };
    const all = (async () => {
      for await (const _ of readAhead(read, signal, readAheadRoom(1000), onEnd)) taken += 1;
    })();
    await expect(all).rejects.toThrow('cut off');
    expect([taken, ended]).toEqual([3, false]);
  });

  test('ends its producer, and waits for that, when nobody takes it any more', async ({ signal }) => {
    const { seen, read } = producer(20);
    for await (const _ of readAhead(read, signal, readAheadRoom(50), async () => {})) break;
    expect(seen.closed).toBe(true);
    expect(seen.aborted).toBeInstanceOf(Error);
    expect(seen.given).toBeLessThan(20);
  });

  test('ends with the reason of an abort', async () => {
    const abort = new AbortController();
    const { seen, read } = producer(1000);
    const all = (async () => {
      for await (const _ of readAhead(read, abort.signal, readAheadRoom(50), async () => {}))
        abort.abort(new Error('enough'));
    })();
    await expect(all).rejects.toThrow('enough');
    expect(seen.closed).toBe(true);
  });

  test('shares its room, and comes whole however little of that there is', async ({ signal }) => {
    const room = readAheadRoom(50);
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
    const whole = Array.from({ length: 20 }, (_, index) => index);
    expect(await Promise.all(readers)).toEqual([whole, whole, whole]);
    // each may read one chunk more than there is room for
    expect(most).toBeLessThanOrEqual(50 + 3 * 10);
    expect(room.waiting()).toBe(0);
  });
});
