import { expect, test } from 'vitest';
import { isUlid } from '../../src/domain/ulid.ts';
import { systemClock, ulids } from '../../src/process/clock.ts';

const at = Temporal.Instant.from('2025-12-02T02:00:00Z');

test('identifiers of one millisecond sort in the order they were made', () => {
  const identifiers = ulids();
  const made = Array.from({ length: 1000 }, () => identifiers.next(at));
  expect(made.every(isUlid)).toBe(true);
  expect(made.toSorted()).toEqual(made);
  expect(new Set(made).size).toBe(1000);
});

test('identifiers go on rising while the clock is set back a little', () => {
  const identifiers = ulids();
  const made = [0, -3, -2, 1].map((milliseconds) => identifiers.next(at.add({ milliseconds })));
  expect(made.toSorted()).toEqual(made);
});

test('a clock that jumped back by an hour is believed', () => {
  const identifiers = ulids();
  const before = identifiers.next(at);
  expect(identifiers.next(at.subtract({ hours: 1 })) < before).toBe(true);
});

test('identifiers go on rising when the random number is the highest there is', () => {
  const identifiers = ulids((length) => new Uint8Array(length).fill(255));
  const made = Array.from({ length: 3 }, () => identifiers.next(at));
  expect(made.toSorted()).toEqual(made);
  expect(new Set(made).size).toBe(3);
});

test('two processes do not make the same identifiers', () => {
  expect(ulids().next(at)).not.toBe(ulids().next(at));
});

test('a sleep that is aborted rejects with the reason of its signal', async () => {
  const stop = new AbortController();
  const sleeping = systemClock.sleep(3_600_000, stop.signal);
  stop.abort(new Error('enough'));
  await expect(sleeping).rejects.toThrow('enough');
  await expect(systemClock.sleep(0, stop.signal)).rejects.toThrow('enough');
});

test('a sleep ends after its time and not before', async () => {
  const start = systemClock.monotonicMs();
  await systemClock.sleep(20, new AbortController().signal);
  expect(systemClock.monotonicMs() - start).toBeGreaterThanOrEqual(20);
});

test('a sleep of more than 24.8 days does not end at once', async () => {
  const stop = new AbortController();
  const state = { ended: false };
  const sleeping = systemClock.sleep(30 * 86_400_000, stop.signal).finally(() => {
    state.ended = true;
  });
  await systemClock.sleep(20, new AbortController().signal);
  expect(state.ended).toBe(false);
  stop.abort(new Error('enough'));
  await expect(sleeping).rejects.toThrow('enough');
});
