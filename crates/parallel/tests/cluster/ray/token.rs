//! A cluster that asks for a token.

use cluster_harness::{RayCluster, RayOptions};

use super::program::{said, tells};

#[test]
fn a_token() {
    const TOKEN: &str = "a_token_for_tests_a_token_for_tests";
    let _alone = crate::alone();
    let cluster = RayCluster::start_with(RayOptions {
        token: Some(TOKEN.to_owned()),
        cpus: Some(1),
    });
    let home = tempfile::tempdir().unwrap();
    let home = ("HOME", home.path().to_str().unwrap());
    let mode = ("RAY_AUTH_MODE", "token");
    for address in [cluster.address(), cluster.inner_address()] {
        let right = said(&address, &[home, mode, ("RAY_AUTH_TOKEN", TOKEN)]);
        tells(&right, &["computed Ok([2, 3])"]);
        let wrong = "not_the_token_of_this_cluster_at_all";
        for environment in [
            &[home, mode, ("RAY_AUTH_TOKEN", wrong)][..],
            &[home, mode],
            &[home],
        ] {
            let said = said(&address, environment);
            tells(
                &said,
                &[
                    "refused: ",
                    &address,
                    "InvalidAuthToken",
                    "~/.ray/auth_token",
                ],
            );
            assert!(!said.contains(wrong) && !said.contains(TOKEN), "{said}");
        }
    }
}
