/** What a load process can be asked to do: each call takes one argument and is answered once. */
// oxlint-disable-next-line typescript/no-explicit-any -- each process has arguments of its own
export type Calls = Record<string, (argument: any) => unknown>;

export interface Call {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

export type Reply = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: string };

/** Answers the calls of the process that started this one, and ends with it. */
export function serveCalls(calls: Calls): void {
  const answer = async ({ id, name, argument }: Call): Promise<Reply> => {
    try {
      return { id, result: (await calls[name]?.(argument)) ?? null };
    } catch (error) {
      return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
  };
  process.on('message', (call: Call) => void answer(call).then((reply) => process.send?.(reply)));
  process.on('disconnect', () => process.exit());
}
