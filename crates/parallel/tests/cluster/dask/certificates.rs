//! A cluster that asks for certificates, which Dask's own configuration names.

use std::path::Path;
use std::process::Command;

use cluster_harness::DaskCluster;

use super::program::{said, tells};

/// A certificate that stands for itself, and its key.
fn make(certificate: &Path, key: &Path) {
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
        ])
        .args([
            "-subj",
            "/CN=kitchen",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ])
        .arg("-keyout")
        .arg(key)
        .arg("-out")
        .arg(certificate)
        .output()
        .expect("openssl is there: install it, it makes the certificates of this test");
    assert!(made.status.success(), "{made:?}");
}

#[test]
fn who_has_the_certificate_is_let_in_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert"), folder.path().join("key"));
    make(&certificate, &key);
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let options = [
        "--protocol",
        "tls",
        "--tls-ca-file",
        certificate,
        "--tls-cert",
        certificate,
        "--tls-key",
        key,
    ];
    let cluster = DaskCluster::start_with(1, 1, &options);
    let address = cluster.address();
    assert!(address.starts_with("tls://"), "{address}");
    let with = said(
        address,
        &[
            ("DASK_DISTRIBUTED__COMM__TLS__CA_FILE", certificate),
            ("DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT", certificate),
            ("DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY", key),
        ],
    );
    tells(&with, &["computed Ok([2, 3])"]);
    let without = said(address, &[]);
    tells(
        &without,
        &["refused", address, "DASK_DISTRIBUTED__COMM__TLS__CA_FILE"],
    );
}
