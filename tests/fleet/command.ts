/** The fleet command as it is, on a cluster whose pods do not run. */
import "./command-pods";
import "../../fleet/index";
