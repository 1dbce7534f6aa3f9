import { describe, expect, test } from 'vitest';
import { backup } from '../../src/operations/backup.ts';
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

  test('its backup waits for a guard or rollback of the subvolume that it lies in, and of no other', async () => {
    using made = await house();
    made.source('data').snapshotRoots = async () => [{ path: '/pool/apps/wiki', folder: true }];
    await using other = await begin(made, 'guard', { service: undefined, folders: ['/pool/app'] });
    await using entry = await begin(made, 'rollback', { service: undefined, folders: ['/pool/apps'] });
    const running = made.backUp({ repositories: ['first'] });
    await turns(() => waits(made));
    await entry.done();
    expect((await running).outcome).toBe('passed');
    await other.done();
  });

  test('its backup does not wait for the guard whose command makes it', async () => {
    using made = await house();
    made.source('data');
    await using guard = await begin(made, 'guard', { point: '01GUARD' });
    await using command = await begin(made, 'guarded command', { point: '01GUARD' });
    const context = { ...made.context, guardedBy: ['01OUTER', '01GUARD'] };
    const request = { services: [], plan: null, repositories: ['first'], acceptLoss: [], lockWaitMs: 0 };
    expect((await backup(request, context, signal)).outcome).toBe('passed');
    expect(waits(made)).toBe(false);
    for (const entry of [guard, command]) await entry.done();
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
