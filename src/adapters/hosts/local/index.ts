import type { Host } from '../../../ports/host.ts';
import {
  feedPipeline,
  type ProcessSettings,
  readPipeline,
  readVersion,
  runCommand,
  startSession,
} from '../../../process/run.ts';
import { localFiles } from './files.ts';

/** This machine. It always exists and needs no configuration; `settings` are for tests. */
export function localHost(settings: ProcessSettings = {}): Host {
  const versions = new Map<string, string>();
  return {
    name: 'local',
    capabilities: { localPaths: true },
    files: localFiles,
    run: (command, options) => runCommand(command, options, settings),
    read: (pipeline, options) => readPipeline(pipeline, options, settings),
    feed: (pipeline, options) => feedPipeline(pipeline, options, settings),
    session: (command, options) => startSession(command, options, settings),
    version: async (program, signal) => {
      const version = versions.get(program) ?? (await readVersion(program, { signal }, settings));
      versions.set(program, version);
      return version;
    },
  };
}
