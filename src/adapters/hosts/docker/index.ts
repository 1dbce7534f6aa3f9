import type { Host } from '../../../ports/host.ts';
import { type EngineEnvironment, engineProgram } from '../../../process/container-engine.ts';
import {
  feedPipeline,
  type ProcessSettings,
  readPipeline,
  readVersion,
  runCommand,
  startSession,
} from '../../../process/run.ts';
import { enterContainer } from './enter.ts';
import { containerFiles } from './files.ts';

/** Milliseconds between TERM and KILL. */
const GRACE_MS = 5000;

/** A container of this machine's engine as a host: programs are run in it with `docker exec`, or podman's. It needs a
 *  shell with `env` and `sed`; its paths need GNU or BusyBox tools.
 *  @param outer this machine, where the client runs */
export async function dockerHost(
  container: string,
  outer: Host,
  environment: EngineEnvironment,
  signal: AbortSignal,
  { graceMs = GRACE_MS }: Pick<ProcessSettings, 'graceMs'> = {},
): Promise<Host> {
  const program = await engineProgram(outer, signal);
  const settings = { graceMs, enter: enterContainer({ program, container, environment, graceMs }) };
  const versions = new Map<string, string>();
  const run: Host['run'] = (command, options) => runCommand(command, options, settings);
  return {
    name: `container ${container}`,
    capabilities: { localPaths: false },
    files: containerFiles(run),
    run,
    read: (pipeline, options) => readPipeline(pipeline, options, settings),
    feed: (pipeline, options) => feedPipeline(pipeline, options, settings),
    session: (command, options) => startSession(command, options, settings),
    version: async (wanted, aborted) => {
      const version = versions.get(wanted) ?? (await readVersion(wanted, { signal: aborted }, settings));
      versions.set(wanted, version);
      return version;
    },
  };
}
