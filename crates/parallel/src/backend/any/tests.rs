//! What is said about a choice that makes no sense. Nobody registers a name here, so the lists are complete.

use insta::assert_snapshot;

use super::AnyBackend;

fn refusal(name: &str) -> String {
    AnyBackend::named(name).unwrap_err().to_string()
}

#[test]
fn an_unknown_name() {
    assert_snapshot!(refusal("proceses"), @r#"no backend is called "proceses": there are sequential, threads (or threading), processes (or loky, multiprocessing), dask, dask=ADDRESS, ray, ray=ADDRESS; others can be registered with `parallel::register_backend`, in a worker process by its initializer"#);
    assert_snapshot!(refusal(""), @r#"no backend is called "": there are sequential, threads (or threading), processes (or loky, multiprocessing), dask, dask=ADDRESS, ray, ray=ADDRESS; others can be registered with `parallel::register_backend`, in a worker process by its initializer"#);
}

#[test]
fn an_unknown_option() {
    assert_snapshot!(refusal("processes:timout=5s"), @r#"the backend processes has no option "timout": it has timeout, retries, retry_panics, max_tasks_per_worker, memory_limit, idle_timeout, threads_per_worker, output, env.NAME"#);
    assert_snapshot!(refusal("loky:env.=hot"), @r#"the backend loky has no option "env.": it has timeout, retries, retry_panics, max_tasks_per_worker, memory_limit, idle_timeout, threads_per_worker, output, env.NAME"#);
    assert_snapshot!(refusal("threads:timeout=5s"), @r#"the backend threads has no option "timeout": it has none at all"#);
    assert_snapshot!(refusal("sequential:n_jobs=1"), @r#"the backend sequential has no option "n_jobs": it has none at all"#);
}

#[test]
fn what_is_no_option() {
    assert_snapshot!(refusal("threads:"), @r#""" in "threads:" is no option of a backend: write name:option=value,option=value, as in processes:timeout=5s,retries=1"#);
    assert_snapshot!(refusal("processes:timeout=5s,retries"), @r#""retries" in "processes:timeout=5s,retries" is no option of a backend: write name:option=value,option=value, as in processes:timeout=5s,retries=1"#);
    assert_snapshot!(refusal("processes:retries=1,retries=2"), @r#"the option "retries" is there twice in "processes:retries=1,retries=2": leave one"#);
}

#[test]
fn a_cluster_without_an_address() {
    assert_snapshot!(refusal("dask://"), @r#""dask://" has no address of a cluster: write dask://host:8786 or dask=tls://host:8786, ray://host:10001 or ray=host:6379, or only dask or ray for one on this machine"#);
    assert_snapshot!(refusal("ray="), @r#""ray=" has no address of a cluster: write dask://host:8786 or dask=tls://host:8786, ray://host:10001 or ray=host:6379, or only dask or ray for one on this machine"#);
}

#[test]
fn a_value_that_will_not_do() {
    assert_snapshot!(refusal("processes:timeout=5"), @r#"the option timeout of the backend processes cannot be "5": give it a time with its unit, as 5s, 1.5s, 200ms, 1m or 1h"#);
    assert_snapshot!(refusal("processes:retries=-1"), @r#"the option retries of the backend processes cannot be "-1": give it a number, 0 or more"#);
    assert_snapshot!(refusal("processes:retry_panics=yes"), @r#"the option retry_panics of the backend processes cannot be "yes": give it true or false"#);
    assert_snapshot!(refusal("processes:memory_limit=much"), @r#"the option memory_limit of the backend processes cannot be "much": give it a number of bytes, as 1000000, 512K, 512M, 512MiB or 1.5G"#);
    assert_snapshot!(refusal("processes:output=loud"), @r#"the option output of the backend processes cannot be "loud": give it inherit, null or lines"#);
}

#[test]
fn every_option_is_known() {
    let all = "processes:timeout=5s,retries=1,retry_panics=true,max_tasks_per_worker=100,\
               memory_limit=1GiB,idle_timeout=1m,threads_per_worker=2,output=lines,env.A=b=c";
    let backend = AnyBackend::named(all).unwrap();
    assert_eq!(backend.portable_name(), Some(all));
}
