// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

//! Gives the module the version of its wheel, which is that of all packages here.

fn main() {
    println!("cargo:rerun-if-changed=pyproject.toml");
    let project = std::fs::read_to_string("pyproject.toml").expect("pyproject.toml can be read");
    let version = project
        .lines()
        .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
        .expect("pyproject.toml has a version");
    println!("cargo:rustc-env=GLASSHOUSE_VERSION={version}");
}
