import { expect, test } from 'vitest';
import { SETTLE_DEFAULTS } from '../../src/domain/settling.ts';
import { demandingGood, takeBaseline, validate } from '../../src/operations/validate.ts';
import { testClock } from '../fakes/clock.ts';
import { type MemoryValidator, memoryValidator } from '../fakes/validator.ts';

const never = (): AbortSignal => new AbortController().signal;

/** A validation after something happened to what the validators look at. */
async function validated(validators: readonly MemoryValidator[], happens: () => void = () => {}) {
  const clock = testClock('2026-03-01T12:00:00Z');
  const baselines = await takeBaseline(validators, never());
  happens();
  const run = validate(validators, baselines, SETTLE_DEFAULTS, clock, never());
  return { ...(await run), elapsedMs: clock.monotonicMs() };
}

test('nothing to check is valid at once', async () => {
  expect(await validated([])).toEqual({ outcome: 'valid', checks: [], elapsedMs: 0 });
});

test('what became bad makes it invalid, and is named among those that are good', async () => {
  const [page, port] = [memoryValidator({ name: 'page' }), memoryValidator({ name: 'port' })];
  const { outcome, checks } = await validated([page, port], () => {
    port.now = 'bad';
  });
  expect(outcome).toBe('invalid');
  expect(checks).toMatchObject([
    { name: 'page', outcome: 'passed' },
    { name: 'port', outcome: 'failed', detail: 'bad', durationMs: SETTLE_DEFAULTS.settleMs },
  ]);
});

test('what was bad before is no reason, and nobody waits for it', async () => {
  const unit = memoryValidator({ now: 'bad', mustStay: true });
  expect(await validated([unit])).toMatchObject({ outcome: 'valid', elapsedMs: 0, checks: [{ outcome: 'warning' }] });
});

test('what was bad before is looked at once while others are waited for, however long that takes', async () => {
  const [hanging, page] = [memoryValidator({ now: 'bad' }), memoryValidator()];
  const { outcome, checks } = await validated([hanging, page], () => {
    page.now = () => (page.looks < 6 ? 'bad' : 'good');
  });
  expect([outcome, ...checks.map((check) => check.outcome)]).toEqual(['valid', 'warning', 'passed']);
  expect([hanging.looks, page.looks]).toEqual([2, 6]); // the baseline's among them
});

test('after a recovery all must be good, whatever was before', async () => {
  const clock = testClock('2026-03-01T12:00:00Z');
  const page = memoryValidator({ now: 'bad' });
  const unseen = memoryValidator({ now: 'unseen' });
  const baselines = demandingGood(await takeBaseline([page, unseen], never()));
  unseen.now = 'bad';
  const { outcome, checks } = await validate([page, unseen], baselines, SETTLE_DEFAULTS, clock, never());
  expect(outcome).toBe('invalid');
  expect(checks.map((check) => check.outcome)).toEqual(['failed', 'failed']);
});

test('what comes up after a while is waited for', async () => {
  let looks = 0;
  const page = memoryValidator({ now: () => (looks++ < 5 ? 'bad' : 'good') });
  const baseline = { observed: null, good: true, detail: '' };
  const clock = testClock('2026-03-01T12:00:00Z');
  const { outcome } = await validate([page], [baseline], SETTLE_DEFAULTS, clock, never());
  expect({ outcome, waited: clock.monotonicMs() > 0 }).toEqual({ outcome: 'valid', waited: true });
  expect(clock.monotonicMs()).toBeLessThan(SETTLE_DEFAULTS.settleMs);
});

test('what is still starting at the limit did not start, and how long was waited is said', async () => {
  const unit = memoryValidator({ mustStay: true });
  const { outcome, checks, elapsedMs } = await validated([unit], () => {
    unit.now = 'starting';
  });
  expect({ outcome, elapsedMs }).toEqual({ outcome: 'invalid', elapsedMs: SETTLE_DEFAULTS.limitMs });
  expect(checks).toMatchObject([{ outcome: 'failed', detail: 'starting after 10m' }]);
});

test('what cannot be looked at makes it inconclusive, in the words of the failure', async () => {
  const page = memoryValidator({ name: 'page' });
  const { outcome, checks } = await validated([page], () => {
    page.now = 'unseen';
  });
  expect(outcome).toBe('inconclusive');
  expect(checks).toMatchObject([{ outcome: 'inconclusive', detail: 'page cannot be seen.' }]);
});

test('what was not seen before and is bad afterwards is not put down to the change', async () => {
  const page = memoryValidator({ now: 'unseen' });
  const { outcome } = await validated([page], () => {
    page.now = 'bad';
  });
  expect(outcome).toBe('inconclusive');
});

test('what looks back is looked at once, after all else has settled', async () => {
  const seen: string[] = [];
  const unit = memoryValidator({ name: 'unit', mustStay: true });
  const log = memoryValidator({ name: 'log', settles: false });
  const { checks } = await validated([log, unit], () => {
    for (const one of [unit, log])
      one.now = () => {
        seen.push(one.name);
        return 'good';
      };
  });
  expect(seen.filter((name) => name === 'log')).toHaveLength(1);
  expect(seen.at(-1)).toBe('log');
  expect(checks.map(({ name }) => name)).toEqual(['log', 'unit']);
});

test('what only looks back waits for nothing, good or bad', async () => {
  const log = memoryValidator({ settles: false });
  const ended = await validated([log], () => {
    log.now = 'bad';
  });
  expect(ended).toMatchObject({ outcome: 'invalid', elapsedMs: 0 });
});

test('validators look side by side', async () => {
  let inside = 0;
  let most = 0;
  const slow = ['a', 'b', 'c'].map((name) => {
    const validator = memoryValidator({ name });
    const verdict: typeof validator.verdict = async (...args) => {
      most = Math.max(most, ++inside);
      const answer = await validator.verdict(...args);
      inside -= 1;
      return answer;
    };
    return { ...validator, verdict };
  });
  const baselines = await takeBaseline(slow, never());
  await validate(slow, baselines, SETTLE_DEFAULTS, testClock('2026-03-01T12:00:00Z'), never());
  expect(most).toBe(3);
});

test('an abort ends it with its reason, before, during and between looks', async () => {
  const aborted = AbortSignal.abort('stopped');
  await expect(takeBaseline([memoryValidator()], aborted)).rejects.toBe('stopped');
  const controller = new AbortController();
  let looks = 0;
  const page = memoryValidator({
    now: () => {
      if (++looks === 3) controller.abort('stopped');
      return 'bad';
    },
  });
  const baseline = { observed: null, good: true, detail: '' };
  const clock = testClock('2026-03-01T12:00:00Z');
  await expect(validate([page], [baseline], SETTLE_DEFAULTS, clock, controller.signal)).rejects.toBe('stopped');
  expect(looks).toBe(3);
});
