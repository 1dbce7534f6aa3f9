import { HoldfastError } from '../../../domain/errors.ts';
import type { OpenScratch } from '../../../ports/scratch.ts';
import type { DrillServer } from '../../../ports/source.ts';
import type { Client } from './client.ts';
import { addressOf, type CouchdbSettings, serverAddress } from './config.ts';
import { databasesOf } from './databases.ts';
import { look } from './server.ts';

/** The server that `scratch` names. What a drill restores into it is for admins of it alone. */
export const drillServerOf = (
  source: string,
  settings: CouchdbSettings,
  open: (signal: AbortSignal) => Promise<Client>,
): DrillServer => ({
  databases: databasesOf(source, open, serverAddress(settings), 'admins'),
  async tool(signal) {
    await using client = await open(signal);
    const { version } = await look(source, [], client);
    return { name: `CouchDB (${addressOf(settings).origin})`, version };
  },
});

/** CouchDB listens on a port alone, so none is started for a drill: a server has to be named. */
export const openScratch: OpenScratch = (source) =>
  Promise.reject(
    new HoldfastError(
      'ScratchUnusable',
      'No server is named on which a drill of CouchDB may make databases of its own.',
      source,
      { hint: 'Name one in the source: scratch: { url: http://… }, or scratch: true for its own server' },
    ),
  );
