# The iOS library: generated C++ and Objective-C++, linked with the Rust library, which
# bindings/release puts beside this file.
require "json"

package = JSON.parse(File.read(File.join(__dir__, "package.json")))
framework = "Finalmile.xcframework"

unless File.exist?(File.join(__dir__, framework))
  raise "react-native-finalmile has no #{framework}: it was packed without binaries. " \
        "Install the released package, or make it with bindings/release."
end

Pod::Spec.new do |s|
  s.name = "react-native-finalmile"
  s.version = package["version"]
  s.summary = package["description"]
  s.homepage = "https://www.npmjs.com/package/#{s.name}"
  s.license = package["license"]
  s.author = "The authors of finalmile"
  s.source = { :http => "https://registry.npmjs.org/#{s.name}/-/#{s.name}-#{s.version}.tgz" }

  # React Native's own minimum, and never less than what the Rust library was built for.
  s.platforms = { :ios => [min_ios_version_supported, "15.1"].max_by { |v| Gem::Version.new(v) } }

  s.source_files = "ios/*.{h,mm}", "cpp/**/*.{h,hpp,cpp}"
  s.private_header_files = "ios/*.h", "cpp/**/*.{h,hpp}"
  s.resource_bundles = { "FinalmilePrivacy" => ["ios/PrivacyInfo.xcprivacy"] }
  s.vendored_frameworks = framework

  s.pod_target_xcconfig = {
    "HEADER_SEARCH_PATHS" => '"$(PODS_TARGET_SRCROOT)/cpp/generated" "$(PODS_TARGET_SRCROOT)/cpp/ubrn"',
  }

  install_modules_dependencies(s)
end
