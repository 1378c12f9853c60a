# Evaluates the podspec with as much of CocoaPods as it names, and asserts what came out.
#
# Usage: ruby podspec.rb PACKAGE

require "ostruct"

module Pod
  class Spec
    def self.new
      spec = OpenStruct.new
      yield spec
      $spec = spec
    end
  end
end

# React Native's helpers.
def min_ios_version_supported = "15.1"
def install_modules_dependencies(_spec) = $installed = true

package = File.realpath(ARGV.fetch(0))
load File.join(package, "react-native-finalmile.podspec")

def assert(holds, what) = holds || abort("podspec: #{what}")

%i[name version summary homepage license author source platforms].each do |name|
  assert !$spec[name].to_s.empty?, "it has no #{name}"
end
assert $spec.platforms == { ios: "15.1" }, "its minimum is #{$spec.platforms}"
assert $installed, "React Native's own dependencies are not installed"

named = Array($spec.source_files) + $spec.resource_bundles.values.flatten + [$spec.vendored_frameworks]
named.each { |glob| assert !Dir.glob(File.join(package, glob)).empty?, "nothing is called #{glob}" }
compiled = Array($spec.source_files).flat_map { |glob| Dir.glob(File.join(package, glob)) }
[".mm", ".cpp", ".hpp", ".h"].each do |ending|
  assert compiled.any? { |path| path.end_with?(ending) }, "no #{ending} is compiled"
end

puts "podspec: #{compiled.size} files are compiled, for iOS #{$spec.platforms[:ios]}"
