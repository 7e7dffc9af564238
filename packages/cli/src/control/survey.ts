import { TunnelError } from '@tunnel/shared';
import { describeSystemError, isRunning } from '@tunnel/shared/node';
import { askClient, type ControlAnswer, NO_ANSWER } from './control-connection.ts';
import type { Command } from './protocol.ts';
import type { SurveyedClient } from '../reports/client-report.ts';
import { listPlaces, removeStalePlace, type SocketPlace } from './socket-place.ts';

/**
 * Has every client with a socket in this directory told the command, and returns what they say, by process id. Removes
 * sockets of dead ones. Throws `state-unusable`.
 */
export async function surveyClients(
  directory: string,
  command: Exclude<Command, 'watch'>,
  pid?: number,
): Promise<readonly SurveyedClient[]> {
  const places = await findPlaces(directory);
  const asked = places.filter((place) => pid === undefined || place.pid === pid);
  const answers = await Promise.all(
    asked.map(async (place) => {
      const answer = await askClient(place, command);
      if ('hasHungUp' in answer && !(await isRunning({ pid: place.pid }))) return undefined;
      if ('isGone' in answer) await removeStalePlace(place);
      return surveyed(place, answer);
    }),
  );
  return answers.filter((client) => client !== undefined);
}

/** As `listPlaces`. Throws `state-unusable` or `file-foreign`. */
export async function findPlaces(directory: string): Promise<readonly SocketPlace[]> {
  try {
    return await listPlaces(directory);
  } catch (error) {
    if (error instanceof TunnelError) throw error;
    throw new TunnelError('state-unusable', { detail: `${directory}: ${describeSystemError(error)}`, cause: error });
  }
}

/** Undefined for a process that is gone. */
export function surveyed({ pid }: SocketPlace, answer: ControlAnswer): SurveyedClient | undefined {
  if ('isGone' in answer) return undefined;
  if ('client' in answer) return answer.client;
  return { pid, state: 'unknown', problem: 'problem' in answer ? answer.problem : NO_ANSWER };
}
