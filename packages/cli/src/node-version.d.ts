export function refusalOfNode(version: string): readonly string[] | undefined;
