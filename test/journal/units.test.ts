import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Journal, openJournal } from '../../src/journal/journal.ts';
import type { UnitReference } from '../../src/ports/unit.ts';
import { systemClock, ulids } from '../../src/process/clock.ts';
import { currentOwner } from '../../src/process/owner.ts';
import { type MemoryUnit, memoryUnit, openFrom } from '../fakes/unit.ts';
import { localPorts } from './local-files.ts';

let folder: string;
let calls: string[];
let units: Map<string, MemoryUnit>;
const never = new AbortController().signal;
const reference = (container: string): UnitReference => ({ kind: 'container', host: 'local', container });
const unitOf = (name: string): MemoryUnit => units.get(`container ${name}`) as MemoryUnit;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-journal-'));
  calls = [];
  units = new Map();
  for (const name of ['database', 'web'])
    units.set(
      `container ${name}`,
      memoryUnit({ reference: reference(name), calls, members: { one: true, two: false } }),
    );
});
afterEach(() => rm(folder, { recursive: true }));

/** A journal as the next process opens it: whoever wrote to it before has ended. */
function journal(): Journal {
  const current = currentOwner();
  return openJournal(join(folder, 'journal.db'), {
    ...{ clock: systemClock, identifiers: ulids(), ports: { ...localPorts, unit: openFrom(units) } },
    owners: { current, state: () => 'gone' },
  });
}

/** Stops both, the last first, and leaves the entry as a killed process would. */
async function stopAndDie(): Promise<void> {
  using opened = journal();
  const entry = await opened.begin({ verb: 'backup', subject: 'mealie' });
  for (const name of ['web', 'database'])
    await entry.step({ kind: 'unit-stopped', unit: reference(name), members: ['one'] }, () => unitOf(name).stop(never));
}

test('what a killed process had stopped is started by the next one, in the declared order, and what was down stays down', async () => {
  await stopAndDie();
  using next = journal();
  expect(await next.repair({ force: false }, never)).toMatchObject([{ outcome: 'undone', detail: '2 steps' }]);
  expect(calls.slice(2)).toEqual(['start container database: one', 'start container web: one']);
  expect(next.open()).toEqual([]);
});

test('a container that was removed while it was down keeps no other from being started, and leaves nothing open', async () => {
  await stopAndDie();
  units.set('container web', memoryUnit({ reference: reference('web'), calls, missing: true }));
  using next = journal();
  expect(await next.repair({ force: false }, never)).toMatchObject([{ outcome: 'undone', detail: '2 steps' }]);
  expect(calls.slice(2)).toEqual(['start container database: one']);
  expect(next.open()).toEqual([]);
});

test('a unit whose stop was cut short is down before it is started: its engine may go on with the stop', async () => {
  const killedAt = (name: string) => async (): Promise<void> => {
    if (name === 'web') await unitOf(name).stop(never);
  };
  {
    using opened = journal();
    const entry = await opened.begin({ verb: 'rollback', subject: 'mealie' });
    for (const name of ['web', 'database'])
      await entry.step({ kind: 'unit-stopped', unit: reference(name), members: ['one'] }, killedAt(name));
  }
  unitOf('web').members.set('one', true); // somebody started it: its stop had come to its end
  using next = journal();
  expect(await next.repair({ force: false }, never)).toMatchObject([{ outcome: 'undone', detail: '2 steps' }]);
  const [down, up] = ['stop container database', 'start container database: one'];
  expect(calls.slice(1)).toEqual([down, up, 'start container web: one']);
});

test('so is one whose stop was interrupted in this process', async () => {
  using opened = journal();
  const interrupted = async () => {
    await using entry = await opened.begin({ verb: 'rollback', subject: 'mealie' });
    await entry.step({ kind: 'unit-stopped', unit: reference('web'), members: ['one'] }, () =>
      Promise.reject(new Error('Ctrl-C')),
    );
  };
  await expect(interrupted()).rejects.toThrow('Ctrl-C');
  expect(calls).toEqual(['stop container web', 'start container web: one']);
});

test('a unit that cannot be started keeps no other down, and its step stays until it can', async () => {
  await stopAndDie();
  unitOf('database').before = () => {
    throw new Error('no such image');
  };
  using next = journal();
  const repaired = await next.repair({ force: false }, never);
  expect(repaired).toMatchObject([{ outcome: 'failed', detail: expect.stringContaining('no such image') }]);
  expect(calls.slice(2)).toEqual(['start container web: one']);
  expect(next.open()).toMatchObject([
    { state: 'left', steps: [{ kind: 'unit-stopped', unit: reference('database') }] },
  ]);

  unitOf('database').before = () => {};
  expect(await next.repair({ force: false }, never)).toMatchObject([{ outcome: 'undone', detail: '1 step' }]);
  expect(calls.slice(3)).toEqual(['start container database: one']);
});

test('after the point of no return the units that were not started yet are started by the next process', async () => {
  {
    using opened = journal();
    const entry = await opened.begin({ verb: 'restore', subject: 'mealie' });
    await entry.step({ kind: 'unit-stopped', unit: reference('web'), members: ['one'] }, () =>
      unitOf('web').stop(never),
    );
    await entry.forwardOnly([
      { kind: 'unit-started', unit: reference('database'), members: ['one'] },
      { kind: 'unit-started', unit: reference('web'), members: ['one'], madeAfter: '2026-11-21T14:30:00.5Z' },
    ]);
  }
  using next = journal();
  expect(await next.repair({ force: false }, never)).toMatchObject([{ outcome: 'finished' }]);
  expect(calls).toEqual([
    ...['stop container web', 'start container database: one'],
    'start container web: one, made after 2026-11-21T14:30:00.5Z',
  ]);
});

test('a unit that was started is stopped before what is beneath it is taken back', async () => {
  using opened = journal();
  const swap = async () => {
    await using entry = await opened.begin({ verb: 'rollback', subject: 'mealie' });
    await entry.step({ kind: 'unit-stopped', unit: reference('web'), members: ['one'] }, () =>
      unitOf('web').stop(never),
    );
    await entry.step({ kind: 'unit-started', unit: reference('web'), members: ['one'] }, () =>
      unitOf('web').start(['one'], never),
    );
    throw new Error('not healthy');
  };
  await expect(swap()).rejects.toThrow('not healthy');
  const [first, second] = ['stop container web', 'start container web: one'];
  expect(calls).toEqual([first, second, first, second]);
});
