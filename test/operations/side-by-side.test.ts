import { expect, test } from 'vitest';
import { HoldfastError } from '../../src/domain/errors.ts';
import { slots } from '../../src/operations/slots.ts';
import { house } from './house.ts';

/** Work that ends when it is told to. */
function gate(): { readonly open: () => void; readonly passed: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { open: resolve, passed: promise };
}

test('of what waits the longest goes first, and never more than there is room for', async () => {
  const room = slots(2);
  const order: string[] = [];
  let [running, most] = [0, 0];
  const work = (name: string, expectedMs: number): Promise<void> =>
    room.run(expectedMs, async () => {
      order.push(name);
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    });
  await Promise.all([work('short', 1), work('long', 100), work('middle', 10), work('longest', 1000)]);
  expect(order).toEqual(['longest', 'long', 'middle', 'short']);
  expect(most).toBe(2);
});

test('work that fails gives its room back', async () => {
  const room = slots(1);
  await expect(room.run(0, () => Promise.reject(new Error('it failed')))).rejects.toThrow('it failed');
  expect(await room.run(0, async () => 'next')).toBe('next');
});

test('items of a service are read side by side, and their rows keep the order of the configuration', async () => {
  using made = await house();
  const [one, other] = [made.source('one'), made.source('other')];
  let together = 0;
  const both = gate();
  for (const source of [one, other]) {
    const capture = source.capture.bind(source);
    source.capture = async (context, signal) => {
      together += 1;
      if (together === 2) both.open();
      await both.passed; // it would wait for ever were they read one after the other
      return await capture(context, signal);
    };
  }
  const { points } = await made.backUp({ repositories: ['first'] });
  expect(points[0]?.manifest?.items.map(({ name }) => name)).toEqual(['files_one', 'files_other']);
});

test('one at a time when that is asked for, those first that took longest the last time', async () => {
  using made = await house();
  const read: string[] = [];
  for (const [name, tookMs] of [
    ['quick', 5],
    ['slow', 900],
    ['middle', 60],
  ] as const) {
    made.source(name).onRead = () => {
      read.push(name);
      made.clock.advance({ milliseconds: tookMs });
    };
  }
  await made.backUp({ repositories: ['first'], jobs: 1 });
  made.clock.advance({ hours: 1 });
  read.length = 0;
  const { points } = await made.backUp({ repositories: ['first'], jobs: 1 });
  expect(read).toEqual(['slow', 'middle', 'quick']);
  expect(points[0]?.manifest?.items.map(({ name }) => name)).toEqual(['files_quick', 'files_slow', 'files_middle']);
});

test('a dump that waits for its server begins at once and takes no place of others, unless a number is asked for', async () => {
  using made = await house();
  const names = ['one', 'other', 'third', 'waits'];
  let [reading, most] = [0, 0];
  let all = gate();
  for (const name of names) {
    const source = made.source(name);
    if (name === 'waits') Object.assign(source, { capabilities: { ...source.capabilities, waits: true } });
    const capture = source.capture.bind(source);
    source.capture = async (context, signal) => {
      reading += 1;
      most = Math.max(most, reading);
      if (reading === 3) all.open();
      await all.passed;
      reading -= 1;
      return await capture(context, signal);
    };
  }
  await made.backUp({ repositories: ['first'] }); // two of the others, and the last of all, or it would wait for ever
  expect(most).toBe(3);
  made.clock.advance({ hours: 1 });
  [most, all] = [0, gate()];
  all.open();
  await made.backUp({ repositories: ['first'], jobs: 1 });
  expect(most).toBe(1);
});

test('an item that fails beside others stops none of them', async () => {
  using made = await house();
  for (const name of ['a', 'b', 'c', 'd']) made.source(name);
  made.source('bad').dies = new HoldfastError('SourceFailed', 'pg_dump ended with 1.', 'bad');
  const report = await made.backUp({ repositories: ['first'] });
  expect(report.outcome).toBe('partial');
  expect(report.points[0]?.manifest?.counts).toEqual({ succeeded: 4, failed: 1 });
});
