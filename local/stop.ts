/** `npm stop`: ends exactly what `npm start` started. The cluster's data stays. */
import { stopCluster } from "./cluster";
import { runCommand } from "./errors";
import { defaultStateFolder } from "./paths";

runCommand(async () => {
  const stopped = await stopCluster(defaultStateFolder);
  console.log(stopped.length > 0 ? `Stopped ${stopped.join(", ")}.` : "Nothing was running.");
});
