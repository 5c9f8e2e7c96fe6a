/** Options of our own among the arguments of another program. */

/**
 * Takes an option with a value (`--name value` or `--name=value`, the last one where there are several) out of
 * arguments, wherever it stands before a `--`. What follows that is the argument of yet another program.
 * @returns the value, undefined where there is none, and the arguments without it
 */
export function takeOption(
  args: string[],
  ...names: string[]
): { value: string | undefined; rest: string[] } {
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  const rest: string[] = [];
  let value: string | undefined;
  for (let i = 0; i < end; i++) {
    const name = names.find((each) => args[i] === each || args[i].startsWith(`${each}=`));
    if (name === undefined) rest.push(args[i]);
    else value = args[i] === name ? args[++i] : args[i].slice(name.length + 1);
  }
  return { value, rest: [...rest, ...args.slice(end)] };
}
