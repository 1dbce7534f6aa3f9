import { once } from 'node:events';
import { connect } from 'node:net';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Host } from '../../../ports/host.ts';
import type { Validator } from '../../../ports/validator.ts';
import { connectionWords, isLoopback, probeValidator } from '../probe/probe.ts';
import type { TcpSettings } from './config.ts';

const LIMIT_MS = 5000;

/** A port that takes connections. */
export function tcpValidator({ tcp }: TcpSettings, { host: asked }: { readonly host: Host }): Validator {
  const colon = tcp.lastIndexOf(':');
  const host = tcp.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  const port = Number(tcp.slice(colon + 1));
  const name = `tcp ${tcp}`;
  return probeValidator(name, async (signal) => {
    signal.throwIfAborted();
    if (!asked.capabilities.localPaths && isLoopback(host))
      throw new HoldfastError('Unsupported', `${tcp} is an address of ${asked.name}, not of this machine.`, name, {
        hint: 'Write an address under which this machine reaches it, or a command',
      });
    const limit = AbortSignal.timeout(LIMIT_MS);
    const socket = connect({ host, port });
    try {
      await once(socket, 'connect', { signal: AbortSignal.any([signal, limit]) });
      return { good: true, detail: 'takes connections' };
    } catch (error) {
      signal.throwIfAborted();
      return { good: false, detail: limit.aborted ? `no answer within ${LIMIT_MS / 1000} s` : connectionWords(error) };
    } finally {
      socket.on('error', () => {}); // it is given up, whatever comes of it
      socket.destroy();
    }
  });
}
