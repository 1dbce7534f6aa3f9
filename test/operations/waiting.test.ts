import { describe, expect, test } from 'vitest';
import { performPrune } from '../../src/operations/prune.ts';
import { planPrune } from '../../src/operations/prune-plan.ts';
import { aPlan, type House, house, signal } from './house.ts';

/** What a guard, its command or a restore in place has in the journal while it works on a service. */
const begin = async (made: House, verb: string, detail: object = {}) =>
  (await made.context.journal()).begin({ verb, subject: 'mealie', detail: { service: 'mealie', ...detail } });
const waits = ({ events }: House): boolean =>
  events.some((event) => event.type === 'step' && event.text.startsWith('waiting for the '));
const turns = async (done: () => boolean): Promise<void> => {
  while (!done()) await new Promise<void>((resolve) => setImmediate(resolve));
};

describe('while a guard or a restore works on a service', () => {
  for (const [verb, detail] of [
    ['guard', {}],
    ['guarded command', {}],
    ['restore', { paths: [] }],
  ] as const)
    test(`its backup waits for the ${verb}, and is made then`, async () => {
      using made = await house();
      const source = made.source('data');
      await using entry = await begin(made, verb, detail);
      const running = made.backUp({ repositories: ['first'] });
      await turns(() => waits(made));
      expect(source.reads).toBe(0);
      await entry.done();
      expect((await running).outcome).toBe('passed');
    });

  test('its backup ends with StateBusy when the limit is over, having read nothing', async () => {
    using made = await house();
    const source = made.source('data');
    await using entry = await begin(made, 'guard');
    await expect(made.backUp({ repositories: ['first'] })).rejects.toMatchObject({
      code: 'StateBusy',
      message: expect.stringMatching(/A guard of mealie \(process \d+\) still runs after 10m, and backup waits/),
    });
    expect(source.reads).toBe(0);
    await entry.done();
  });

  test('nothing of it is pruned until that has ended', async () => {
    using made = await house();
    made.source('data');
    made.configure(aPlan({ retention: { latest: 1 } }));
    for (let count = 0; count < 3; count++) {
      await made.backUp({ plan: 'nightly', repositories: ['first'] });
      made.clock.advance({ hours: 1 });
    }
    const request = { plan: null, repositories: [], services: [], manualOlderThanSeconds: null, lockWaitMs: 0 };
    const plan = await planPrune(request, made.context, signal);
    await using entry = await begin(made, 'guard');
    const running = performPrune(plan, { confirmed: true }, made.context, signal);
    await turns(() => waits(made));
    expect((await made.first.list({}, signal)).points).toHaveLength(3);
    await entry.done();
    expect((await running).removed).toHaveLength(2);
  });

  test('other services and a restore to a folder are not waited for', async () => {
    using made = await house();
    made.source('data');
    await using other = await begin(made, 'guard', { service: 'wiki' });
    await using folder = await begin(made, 'restore', { target: { kind: 'folder' } });
    expect((await made.backUp({ repositories: ['first'] })).outcome).toBe('passed');
    expect(waits(made)).toBe(false);
    await other.done();
    await folder.done();
  });
});
