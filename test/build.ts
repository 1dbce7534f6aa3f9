import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The file of the bundle (services/program.ts). */
    readonly program: string;
  }
}

/** Bundles the present sources before the first test, and again when a watched one changed: a start of the bundle takes
 *  a quarter of what a start of the sources takes, and the tests start it some thousand times. */
export function setup(project: TestProject): () => void {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-program-')));
  chmodSync(folder, 0o755); // some tests run it under another account
  const bundle = (): void =>
    void execFileSync(process.execPath, [join(import.meta.dirname, '../dev/build.ts'), folder], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  bundle();
  const templates = join(folder, 'templates');
  mkdirSync(templates, { mode: 0o755 });
  process.env.HOLDFAST_TEST_TEMPLATES = templates; // of services/template.ts, which benchmarks import too
  project.provide('program', join(folder, 'holdfast.js'));
  project.onTestsRerun(async () => bundle());
  return () => rmSync(folder, { recursive: true, force: true });
}
