import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Context } from '../../src/operations/context.ts';
import { restore } from '../../src/operations/restore.ts';
import type { Repository } from '../../src/ports/repository.ts';
import { systemClock } from '../../src/process/clock.ts';
import { memoryRepository } from '../fakes/repository.ts';
import { available } from '../services/available.ts';
import { type Fixture, fixture, imageOf, signal, timelessImageOf } from './restore-fixture.ts';

const run = (program: string, ...args: string[]): string => execFileSync(program, args, { encoding: 'utf8' });
const IN_PLACE = { kind: 'in-place' } as const;

/** A service whose folder is a file system of its own. */
function mounted(made: Fixture): Disposable & { readonly path: string } {
  const path = join(made.folder, 'disk');
  mkdirSync(path);
  run('mount', '-t', 'tmpfs', '-o', 'size=16m,mode=750', 'tmpfs', path);
  mkdirSync(join(path, 'inner'));
  writeFileSync(join(path, 'inner', 'file'), 'then');
  writeFileSync(join(path, 'today.log'), 'then');
  made.addTree('data', [path], ['*.log']);
  return { path, [Symbol.dispose]: () => void run('umount', '--lazy', path) };
}

describe.runIf(process.getuid?.() === 0 && available('mount'))('a mount point, which only root can make', () => {
  test('its contents are exchanged after a safety point was made, and kept within it', async () => {
    using made = await fixture();
    using disk = mounted(made);
    await made.backUp();
    const before = imageOf(join(disk.path, 'inner'));
    writeFileSync(join(disk.path, 'inner', 'file'), 'now');
    writeFileSync(join(disk.path, 'new'), 'now');
    writeFileSync(join(disk.path, 'today.log'), 'now');
    run('chmod', '700', disk.path);
    const report = await restore({ what: 'mealie', target: IN_PLACE }, made.context, signal);
    expect(imageOf(join(disk.path, 'inner'))).toBe(before);
    const [kept = { path: '' }] = report.kept;
    expect(readdirSync(disk.path).toSorted()).toEqual([kept.path.slice(disk.path.length + 1), 'inner', 'today.log']);
    expect(readFileSync(join(disk.path, 'today.log'), 'utf8')).toBe('now');
    expect(readdirSync(kept.path).toSorted()).toEqual(['inner', 'new']);
    expect(run('stat', '-c', '%a', disk.path).trim()).toBe('750');
    const safety = (await made.catalog.points({})).find(({ id }) => id === report.safetyPoint);
    expect(safety).toMatchObject({ type: 'safety', outcome: 'passed' });
  });

  test('the safety point goes into the first archive repository that can be reached', async () => {
    using made = await fixture();
    using disk = mounted(made);
    await made.backUp();
    const archive = (name: string) => ({ ...memoryRepository({ name, clock: systemClock }), engine: 'archive' });
    const all = new Map<string, Repository>([
      ...[archive('unmounted'), archive('near')].map((one) => [one.name, one] as const),
      ['memory', made.repository], // is no archive, though it has the point
    ]);
    await all.get('near')?.initialize(signal);
    const context: Context = {
      ...{ ...made.context, repositoryNames: [...all.keys()] },
      repository: async (name) => all.get(name) as Repository,
    };
    writeFileSync(join(disk.path, 'inner', 'file'), 'now');
    const { safetyPoint } = await restore({ what: 'mealie', target: IN_PLACE }, context, signal);
    const found = (await made.catalog.points({})).find(({ id }) => id === safetyPoint);
    expect(found).toMatchObject({ repository: 'near', type: 'safety' });
    expect(readFileSync(join(disk.path, 'inner', 'file'), 'utf8')).toBe('then');
  });

  test('without a safety point nothing is exchanged, unless that was said', async () => {
    using made = await fixture();
    using disk = mounted(made);
    await made.backUp();
    writeFileSync(join(disk.path, 'inner', 'file'), 'now');
    const before = timelessImageOf(disk.path);
    made.repository.failNext('putTree', new Error('disk full'));
    await expect(restore({ what: 'mealie', target: IN_PLACE }, made.context, signal)).rejects.toThrow('disk full');
    expect(timelessImageOf(disk.path)).toBe(before);
    const target = { ...IN_PLACE, withoutSafety: true };
    expect((await restore({ what: 'mealie', target }, made.context, signal)).safetyPoint).toBe(null);
    expect(readFileSync(join(disk.path, 'inner', 'file'), 'utf8')).toBe('then');
  });

  test('whatever call fails, its contents are as they were', async () => {
    for (let failing = 0; ; failing++) {
      using made = await fixture();
      using disk = mounted(made);
      await made.backUp();
      writeFileSync(join(disk.path, 'inner', 'file'), 'now');
      const before = timelessImageOf(disk.path);
      let calls = 0;
      let over = false;
      made.faults[failing % 2 === 0 ? 'after' : 'before'] = (method) => {
        if (!over && ['makeFolder', 'rename'].includes(method) && calls++ === failing) throw new Error('injected');
      };
      const target = { ...IN_PLACE, withoutSafety: true };
      const failed = await restore({ what: 'mealie', target }, made.context, signal).then(
        () => false,
        (error) => String(error),
      );
      over = true;
      if (failed === false) {
        expect(failing).toBeGreaterThan(4);
        return;
      }
      expect(failed).toContain('injected');
      expect(timelessImageOf(disk.path)).toBe(before);
    }
  });

  test('a folder of an image’s layer, which an overlay cannot rename, is refused and stays as it is', async () => {
    using made = await fixture();
    const disk = join(made.folder, 'disk');
    mkdirSync(disk);
    run('mount', '-t', 'tmpfs', 'tmpfs', disk);
    using _disk = { [Symbol.dispose]: () => void run('umount', disk) };
    const [lower, upper, work, root] = ['lower', 'upper', 'work', 'root'].map((name) => join(disk, name));
    for (const folder of [upper, work, root]) mkdirSync(`${folder}`);
    mkdirSync(join(`${lower}`, 'data', 'inner'), { recursive: true });
    writeFileSync(join(`${lower}`, 'data', 'inner', 'file'), 'then');
    const layers = `lowerdir=${lower},upperdir=${upper},workdir=${work},redirect_dir=off`;
    run('mount', '-t', 'overlay', '-o', layers, 'overlay', `${root}`);
    using _root = { [Symbol.dispose]: () => void run('umount', `${root}`) };
    const data = join(`${root}`, 'data');
    const beside = join(made.folder, 'beside');
    writeFileSync(beside, 'then');
    made.addTree('data', [beside, data]);
    await made.backUp();
    writeFileSync(join(data, 'inner', 'file'), 'now');
    writeFileSync(beside, 'now');
    const before = timelessImageOf(data);
    await expect(restore({ what: 'mealie', target: IN_PLACE }, made.context, signal)).rejects.toMatchObject({
      ...{ code: 'Refused', message: expect.stringContaining('cannot rename'), hint: expect.stringContaining('--to') },
    });
    expect(timelessImageOf(data)).toBe(before);
    expect(readFileSync(beside, 'utf8')).toBe('now');
    expect(readdirSync(`${root}`)).toEqual(['data']);
    expect(readdirSync(made.folder).filter((name) => /recovery|holdfast/.test(name))).toEqual([]);
  });

  test('something mounted inside a path refuses, by name', async () => {
    using made = await fixture();
    const data = join(made.folder, 'data');
    const inner = join(data, 'cache');
    mkdirSync(inner, { recursive: true });
    writeFileSync(join(data, 'file'), 'then');
    made.addTree('data', [data]);
    await made.backUp();
    writeFileSync(join(data, 'file'), 'now');
    run('mount', '-t', 'tmpfs', 'tmpfs', inner);
    using _ = { [Symbol.dispose]: () => void run('umount', inner) };
    const refused = restore({ what: 'mealie', target: IN_PLACE }, made.context, signal);
    await expect(refused).rejects.toMatchObject({ code: 'TargetBusy', message: expect.stringContaining(inner) });
    expect(readFileSync(join(data, 'file'), 'utf8')).toBe('now');
    expect(existsSync(inner)).toBe(true);
  });

  test('paths of one item on two file systems are both exchanged', async () => {
    using made = await fixture();
    using disk = mounted(made);
    const beside = join(made.folder, 'beside');
    writeFileSync(beside, 'then');
    made.addTree('both', [join(disk.path, 'inner'), beside]);
    await made.backUp();
    writeFileSync(join(disk.path, 'inner', 'file'), 'now');
    writeFileSync(beside, 'now');
    const report = await restore({ what: 'mealie', items: ['both'], target: IN_PLACE }, made.context, signal);
    expect(readFileSync(join(disk.path, 'inner', 'file'), 'utf8')).toBe('then');
    expect(readFileSync(beside, 'utf8')).toBe('then');
    expect(report.kept.map(({ original }) => original).toSorted()).toEqual(
      [beside, join(disk.path, 'inner')].toSorted(),
    );
  });
});
