import { lstat, readdir, rename, rm } from 'node:fs/promises';
import type { StepPorts } from '../../src/journal/step.ts';

type Files = Awaited<ReturnType<StepPorts['host']>>['files'];

/** The real file system, as far as steps use it. */
export const localFiles: Files = {
  async status(path) {
    const found = await lstat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    return (
      found && {
        type: found.isDirectory() ? 'directory' : 'file',
        size: Number(found.size),
        mode: Number(found.mode),
        uid: Number(found.uid),
        gid: Number(found.gid),
        device: found.dev,
        inode: found.ino,
        modifiedNs: found.mtimeNs,
        changedNs: found.ctimeNs,
      }
    );
  },
  list: (path) => readdir(path),
  rename: (from, to) => rename(from, to),
  remove: (path) => rm(path, { recursive: true, force: true }),
};

const noRecovery = async (): Promise<never> => Promise.reject(new Error('No recovery is recorded here.'));

const noUnit = async (): Promise<never> => Promise.reject(new Error('No unit is stopped here.'));

const nothingElse = {
  unit: noUnit,
  recordRecovery: noRecovery,
  snapshotter: async (): Promise<never> => Promise.reject(new Error('No pool is opened here.')),
  recordNewSnapshot: noRecovery,
  mounts: { show: noRecovery },
  endScratch: noRecovery,
  removeContainer: noRecovery,
  databases: async (): Promise<never> => Promise.reject(new Error('No server is opened here.')),
};

export const localPorts: StepPorts = { host: async () => ({ files: localFiles }), ...nothingElse };

/** A local file system on which some calls fail. */
export const portsWith = (faults: Partial<Files>): StepPorts => ({
  host: async () => ({ files: { ...localFiles, ...faults } }),
  ...nothingElse,
});
