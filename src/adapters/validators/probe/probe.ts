import type { Validator, Verdict } from '../../../ports/validator.ts';

export interface Found {
  readonly good: boolean;
  /** One line for people. */
  readonly detail: string;
}

/** A validator of something that is good or bad by itself, at each moment. What cannot be looked at throws.
 *  @param name for people */
export const probeValidator = (name: string, look: (signal: AbortSignal) => Promise<Found>): Validator => ({
  name,
  settles: true,
  mustStay: false,
  baseline: async (signal) => ({ observed: null, ...(await look(signal)) }),
  async verdict(baseline, signal): Promise<Verdict> {
    const { good, detail } = await look(signal);
    if (good) return { outcome: 'passed', detail };
    if (baseline === null) return { outcome: 'inconclusive', detail: `${detail}; what it was before is not known` };
    return baseline.good ? { outcome: 'failed', detail } : { outcome: 'warning', detail: `${detail}, as before` };
  },
});

/** Words for what Node says of a connection that was not made, by its code. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was cut',
  EHOSTUNREACH: 'the machine cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name cannot be looked up now',
  ETIMEDOUT: 'no answer',
  EPIPE: 'the connection was cut',
  CERT_HAS_EXPIRED: 'its TLS certificate has expired',
  CERT_NOT_YET_VALID: 'its TLS certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its TLS certificate is signed by itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'its TLS certificate comes from an authority that this machine does not know',
  UNABLE_TO_GET_ISSUER_CERT: 'its TLS certificate comes from an authority that this machine does not know',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its TLS certificate comes from an authority that this machine does not know',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its TLS certificate comes from an authority that this machine does not know',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its TLS certificate is for another name',
  EPROTO: 'it does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
};

export function connectionWords(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = error instanceof Error ? error.message : String(error);
  return WORDS[code] ?? (message.split('\n')[0] || code);
}

/** Names of a machine for itself. */
export const isLoopback = (host: string): boolean =>
  /^(localhost|127(\.\d+){3}|\[?::1\]?|0\.0\.0\.0|\[?::\]?)$/i.test(host) || host.toLowerCase().endsWith('.localhost');
