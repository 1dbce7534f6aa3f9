// Runs vitest and prints what $CHECKS says, and `N passed, N failed` as its last line; ends with 1 when something failed
// or nothing passed. Files with a failure run once more, alone, when they are few: docs/decisions/018-second-try.md.
// Arguments go to vitest, and with them nothing is tried twice.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

/** More than these, and it is not the load that they have in common. */
const TRIED_AGAIN = 3;

const fileSchema = z.object({
  name: z.string(),
  status: z.string(),
  assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })),
});
type TestFile = z.infer<typeof fileSchema>;

const words = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-report-'));

/** @returns every file that ran, and whether vitest was content; no file where it was ended or took an argument amiss */
function run(args: readonly string[]): { readonly content: boolean; readonly files: readonly TestFile[] } {
  const report = join(folder, 'report.json');
  rmSync(report, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const { status } = spawnSync('vitest', ['run', ...reporters, ...args], { stdio: 'inherit' });
  if (!existsSync(report)) return { content: false, files: [] };
  const { testResults } = z
    .object({ testResults: z.array(fileSchema) })
    .parse(JSON.parse(readFileSync(report, 'utf8')));
  return { content: status === 0, files: testResults };
}

/** A file that could not be loaded has no tests to count, and counts as one. */
function testsOf({ name, status, assertionResults }: TestFile): TestFile['assertionResults'] {
  const unloaded = status === 'failed' && !assertionResults.some((test) => test.status === 'failed');
  return unloaded ? [...assertionResults, { fullName: name, status }] : assertionResults;
}

try {
  const first = run(words);
  let { content, files } = first;
  const failed = files.filter(({ status }) => status === 'failed').map(({ name }) => name);
  if (words.length === 0 && failed.length > 0 && failed.length <= TRIED_AGAIN) {
    console.log(`\nOnce more, alone: ${failed.join(', ')}`);
    const again = run(['--no-file-parallelism', ...failed]);
    content = again.content;
    files = [...files.filter(({ name }) => !failed.includes(name)), ...again.files];
  }
  const tests = files.flatMap(testsOf);
  const count = (status: string): number => tests.filter((test) => test.status === status).length;
  for (const { fullName } of first.files.flatMap(testsOf).filter(({ status }) => status === 'failed'))
    if (tests.some((test) => test.fullName === fullName && test.status === 'passed'))
      console.log(`failed beside the others and passed alone: ${fullName}`);
  const skipped = count('skipped') + count('pending') + count('todo');
  if (process.env.CHECKS !== undefined) console.log(process.env.CHECKS);
  if (skipped > 0) console.log(`${skipped} skipped`);
  console.log(`${count('passed')} passed, ${count('failed')} failed`);
  process.exitCode = content && count('failed') === 0 && count('passed') > 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
