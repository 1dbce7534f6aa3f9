import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { HoldfastError } from '../../domain/errors.ts';
import { makeFolders } from '../../domain/make-folders.ts';
import { backup } from '../../operations/backup.ts';
import { drill } from '../../operations/drill.ts';
import { restore } from '../../operations/restore.ts';
import { verify } from '../../operations/verify.ts';
import { differences, picture, whyNotOneMoment } from '../demo/compare.ts';
import { makeService, rowsOf, startWriting } from '../demo/service.ts';
import { refuseDryRun } from '../dry-run.ts';
import type { Application, Face } from '../face.ts';
import { type DemoStep, demoAsJson, demoForPeople, stepForPeople } from '../render/demo.ts';

const CONFIGURATION = `version: 1
repositories:
  local: { engine: archive, path: repository }
services:
  wishes:
    sources:
      files: { files: [source/files] }
      db: { sqlite: source/wishes.db }
`;

export const demoCommand = (face: Face): Command =>
  new Command('demo')
    .description(
      'Makes a small service, backs it up while it is written to, proves, destroys, restores and compares it.',
    )
    .option('--keep <dir>', 'leave source, repository, restored and holdfast.yaml in this folder')
    .addHelpText('after', '\nExamples:\n  holdfast demo\n  holdfast demo --keep /tmp/demo')
    .action(async ({ keep }: { readonly keep?: string }) => {
      refuseDryRun(face.globals());
      const folder =
        keep === undefined ? await mkdtemp(resolve(tmpdir(), 'holdfast-demo-')) : await emptyFolder(resolve(keep));
      try {
        const steps = await demonstrate(folder, face);
        const kept = keep === undefined ? null : folder;
        face.print(demoForPeople(steps, kept));
        face.printJson(demoAsJson(steps, kept));
        face.exit(steps.every(({ outcome }) => outcome === 'passed') ? 0 : 1);
      } finally {
        if (keep === undefined) await rm(folder, { recursive: true, force: true });
      }
    });

async function emptyFolder(path: string): Promise<string> {
  await makeFolders(path, 0o777, { mkdir, stat }); // the umask of the caller applies
  if ((await readdir(path)).length === 0) return path;
  throw new HoldfastError('TargetExists', `${path} is not empty.`, path, {
    hint: 'Name a folder that is new or empty',
  });
}

/** Performs the steps one by one, printing each as it ends; a step that fails ends the demonstration. */
async function demonstrate(folder: string, face: Face): Promise<readonly DemoStep[]> {
  const steps: DemoStep[] = [];
  const step = async <Answer>(
    name: string,
    take: () => Promise<readonly [detail: string, answer: Answer]>,
  ): Promise<Answer> => {
    const from = performance.now();
    const [detail, answer] = await take();
    const done: DemoStep = { name, outcome: 'passed', detail, durationMs: Math.round(performance.now() - from) };
    steps.push(done);
    face.print(stepForPeople(done));
    return answer;
  };
  const source = join(folder, 'source');
  const restored = join(folder, 'restored');

  const service = await step('make', async () => {
    await mkdir(source);
    const made = await makeService(source);
    await writeFile(join(folder, 'holdfast.yaml'), CONFIGURATION);
    return ['a folder of files and a SQLite database', made];
  });
  const before = await picture(service.files);
  await using opened = await face.open({
    configuration: join(folder, 'holdfast.yaml'),
    state: join(folder, 'state'),
    writes: true,
  });
  const application = { ...opened, progress: sparingly(face) };
  const { signal } = face;

  const { point, rows } = await step('back up', async () => {
    await (await application.repository('local')).initialize(signal);
    const first = rowsOf(service.database).length;
    const writer = startWriting(service.database);
    try {
      const made = await makePoint(application, signal);
      return [
        `point ${made}, while rows were being written`,
        { point: made, rows: { before: first, after: await writer.stop() } },
      ];
    } catch (error) {
      await writer.stop();
      throw error;
    }
  });
  await step('prove', async () => {
    const request = { what: [point], repositories: [], level: 'sound', maxAgeSeconds: null, sample: null } as const;
    const { outcome, points } = await verify(request, application, signal);
    const checks = points.flatMap((verdict) => verdict.checks);
    const bad = checks.filter((check) => check.outcome !== 'passed').map(({ name, detail }) => `${name}: ${detail}`);
    if (outcome !== 'passed') throw new HoldfastError('Damaged', `The point is ${outcome}: ${bad.join(', ')}.`, point);
    return [`${checks.length} checks passed: every byte, every structure`, null];
  });
  const written = rowsOf(service.database);
  await step('destroy', async () => {
    await rm(source, { recursive: true });
    return ['the service is gone', null];
  });
  await step('restore', async () => {
    const report = await restore({ what: point, target: { kind: 'folder', path: restored } }, application, signal);
    return [`${report.items.reduce((sum, { files }) => sum + files, 0)} files`, null];
  });
  await step('drill', async () => {
    const request = { what: point, repository: undefined, items: undefined, sample: false, scratch: folder };
    const limits = { maxBytes: null, maxDurationMs: null, lockWaitMs: 0 };
    const { outcome, points } = await drill({ ...request, ...limits }, application, signal);
    const bad = points.flatMap(({ phases }) => phases.filter((phase) => phase.outcome !== 'passed'));
    if (outcome !== 'passed') throw notIdentical(bad.map(({ detail }) => detail).join(', '));
    const facts = points.flatMap(({ items }) => items.flatMap(({ expected }) => Object.keys(expected)));
    return [
      `restored once more, on a scratch instance: all ${facts.length} facts are as the backup counted them`,
      null,
    ];
  });
  await step('compare', async () => {
    const different = differences(before, await picture(join(restored, service.files)));
    if (different.length > 0) throw notIdentical(`${different.length} names differ, among them ${different[0]}`);
    const copy = rowsOf(join(restored, 'sqlite_db.db'));
    const problem = whyNotOneMoment(written, copy, rows);
    if (problem !== null) throw notIdentical(problem);
    return [`${before.size} names and ${copy.length} rows are identical`, null];
  });
  await step('return', async () => {
    await restore({ what: point, target: { kind: 'in-place' } }, application, signal);
    const different = differences(before, await picture(service.files));
    if (different.length > 0) throw notIdentical(`in its place ${different.length} names differ: ${different[0]}`);
    const problem = whyNotOneMoment(written, rowsOf(service.database), rows);
    if (problem !== null) throw notIdentical(`in its place ${problem}`);
    return ['the service is where it was', null];
  });
  return steps;
}

/** A line for each step is what a person follows; what happens in a step is for `--verbose`. */
function sparingly(face: Face): Application['progress'] {
  return (event) => {
    if (event.type === 'warning' || face.globals().verbose) face.progress(event);
  };
}

const notIdentical = (why: string): Error =>
  new HoldfastError('Damaged', `What was restored is not identical: ${why}.`, 'wishes');

async function makePoint(application: Application, signal: AbortSignal): Promise<string> {
  const request = { services: ['wishes'], plan: null, repositories: ['local'], acceptLoss: [], lockWaitMs: 0 };
  const { outcome, points, failures } = await backup(request, application, signal);
  const [point] = points;
  if (outcome === 'passed' && point !== undefined) return point.id;
  const errors = (point?.manifest?.items ?? []).flatMap(({ error }) => error ?? []);
  const [why = 'no reason was given'] = [...failures.map(({ message }) => message), ...errors];
  throw new HoldfastError('NothingDone', `The backup is ${outcome}: ${why}`, 'wishes');
}
