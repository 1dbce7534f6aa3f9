// Prints `N passed, N failed` from vitest's JSON report; ends with 1 when something failed or nothing passed.
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const reportSchema = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  testResults: z.array(z.object({ status: z.string(), assertionResults: z.array(z.unknown()) })),
});
const report = reportSchema.parse(JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')));
// A file that could not be loaded has no tests to count, and counts as one.
const unloaded = report.testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && !assertionResults.length,
);
const failed = report.numFailedTests + unloaded.length;
if (report.numPendingTests > 0) console.log(`${report.numPendingTests} skipped`);
console.log(`${report.numPassedTests} passed, ${failed} failed`);
process.exitCode = failed > 0 || report.numPassedTests === 0 ? 1 : 0;
