/** `fleet credentials`: the administrator's login, for the eyes of who asks. Recorded nowhere. */
import { NAMES, NAMESPACE } from "../../components/labels";
import { connect } from "../cluster";
import { UsageError } from "../errors";
import type { Register } from "../fleet";
import { chooseStack, readSettings } from "../stacks";

export const registerCredentials: Register = (program, run) => {
  const command = program
    .command("credentials")
    .description("prints the administrator's first password; only on a terminal, or with --show")
    .argument("<stack>", "stack")
    .option("--show", "print it although stdout is no terminal")
    .action((name: string, { show }: { show?: boolean }) =>
      run(command, async (fleet) => {
        const stack = await chooseStack(fleet, name);
        const { cluster: where, domain } = await readSettings(fleet, stack);
        if (!show && !process.stdout.isTTY) {
          throw new UsageError("stdout is no terminal, and may be recorded: say --show");
        }
        const { core } = await connect(fleet, where);
        const { items } = await core.listNamespacedSecret({
          namespace: NAMESPACE,
          fieldSelector: `metadata.name=${NAMES.web}`,
        });
        const data = items[0]?.data;
        if (!data) throw new UsageError(`there is no Secret ${NAMES.web}: deploy the stack first`);
        const value = (key: string) => Buffer.from(data[key] ?? "", "base64").toString();
        const login = {
          stack: name,
          url: `https://${domain}/`,
          username: value("matomo-username"),
          password: value("matomo-password"),
        };
        const text = `${login.url}\nlogin     ${login.username}\npassword  ${login.password}`;
        return { ok: true, json: login, text };
      }),
    );
};
