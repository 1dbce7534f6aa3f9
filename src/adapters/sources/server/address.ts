import type { ServerAddress } from '../../../ports/source.ts';
import type { ServerSettings } from './config.ts';

/** Where a kind of servers listens when nobody says otherwise. */
export interface Usual {
  readonly port: number;
  /** None where the network is the usual way. */
  readonly sockets: readonly string[];
  /** The file of a socket that was named, where that is a folder. */
  readonly socketFile?: (folder: string) => string;
}

/** Where a server is reached with these settings, as its programs understand them. */
export function addressOf(
  { container, socket, host, port }: Pick<ServerSettings, 'container' | 'socket' | 'host' | 'port'>,
  { port: usualPort, sockets, socketFile = (path) => path }: Usual,
): ServerAddress {
  if (container !== undefined) return { container };
  if (socket !== undefined) return { sockets: [socketFile(socket)] };
  if (host === undefined && sockets.length > 0) return { sockets };
  return { host: host ?? 'localhost', port: port ?? usualPort };
}

/** Of a scratch server, which is in no unit. */
export const NOWHERE: ServerAddress = { sockets: [] };
